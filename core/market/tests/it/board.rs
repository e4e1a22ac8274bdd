use litfass_market::FateBoard;
use litfass_types::{Fate, Row};

#[test]
fn the_first_mark_stands() {
    let mut board = FateBoard::new(2, 2);
    assert!(board.mark(Row(1), 0, Fate::Capped));
    assert!(!board.mark(Row(1), 0, Fate::Outbid));
    assert_eq!((board.fate(Row(1), 0), board.fate(Row(1), 1)), (Some(Fate::Capped), None));
}

#[test]
fn a_cell_outside_the_board_is_nothing() {
    let mut board = FateBoard::new(2, 1);
    assert!(!board.mark(Row(2), 0, Fate::Outbid));
    assert!(!board.mark(Row(0), 1, Fate::Outbid));
    assert!(!board.mark(Row(0), usize::MAX, Fate::Outbid));
    assert_eq!((board.unmarked(), FateBoard::default().placements()), (2, 0));
    assert_eq!(board.count_by_fate(9).total(), 0);
}

#[test]
fn the_open_placements_of_a_row_are_those_without_a_mark() {
    let mut board = FateBoard::new(3, 3);
    board.mark(Row(2), 1, Fate::Blocked);
    assert_eq!(
        (board.open_placements(Row(2)), board.open_placements(Row(0)), board.open_placements(Row(3))),
        (0b101, 0b111, 0)
    );
}

#[test]
fn counts_are_per_placement_and_add_up_to_its_candidates() {
    let mut board = FateBoard::new(3, 2);
    board.mark_everywhere(Row(0), Fate::Capped);
    board.mark(Row(1), 1, Fate::Blocked);
    board.mark_rest(Fate::BelowCut);
    let counts: Vec<_> = board.count_by_fate(1).iter().collect();
    assert_eq!(counts, [(Fate::Blocked, 1), (Fate::Capped, 1), (Fate::BelowCut, 1)]);
    assert_eq!(
        (board.count_by_fate(0).of(Fate::BelowCut), board.count_by_fate(0).total(), board.unmarked()),
        (2, 3, 0)
    );
}
