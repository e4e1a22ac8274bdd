//! Views as a running demo gives them, for the tests of the pages.

use litfass_types::{Fate, Ineligible};

use super::view::{
    Audience, BudgetKind, CampaignState, CampaignView, CandidateView, Count, CtrPoint, CtrView, Decile, DecisionRow,
    Ending, ExplanationView, Fact, LiveView, Money, Per, PlacementView, RunnerUp, Second, ShownView, Step, Totals,
    TrainingView, WonView,
};

const NOW_MS: i64 = 1_750_000_000_000;
pub(crate) const ID: &str = "019773e2f400000300112233445566aa";

pub(crate) fn live(title: &str) -> LiveView {
    LiveView {
        now_ms: NOW_MS,
        uptime_s: 754,
        audience: Audience::Shop { seed: 1, shoppers: 2_400, speed: 240 },
        totals: totals(),
        seconds: (0..96).map(second).collect(),
        campaigns: (0..30).map(campaign).collect(),
        ctr: ctr(),
        training: vec![
            training(3, None),
            training(2, None),
            training(1, Some("log loss was not better than the running model's")),
        ],
        training_now: None,
        fates: fates(57),
        ineligible: vec![
            Count::of_ineligible(Ineligible::Targeting, 812_345),
            Count::of_ineligible(Ineligible::Funds, 40_021),
        ],
        decisions: (0..8).map(|n| decision(title, n)).collect(),
    }
}

fn totals() -> Totals {
    Totals {
        decisions: 41_207,
        slots_asked: 171_033,
        slots_filled: 158_412,
        impressions: 110_871,
        viewables: 84_902,
        clicks: 5_113,
        conversions: 602,
        billed_micros: 371_204_500,
        unbilled_micros: 312_000,
        sales_micros: 31_204_990_000,
        degraded: 12,
    }
}

fn second(n: u32) -> Second {
    let wave = n * 37 % 11 + (n / 12 * 5) % 23;
    Second {
        decisions: 45 + wave,
        events: 190 + 4 * wave,
        p50_us: Some(610 + wave * 9),
        p99_us: Some(1_700 + n * 97 % 900),
    }
}

fn campaign(n: u32) -> CampaignView {
    let states = [
        CampaignState::Serving,
        CampaignState::HeldBack,
        CampaignState::Exhausted,
        CampaignState::Serving,
        CampaignState::Off,
    ];
    let state = states[n as usize % 5];
    let budget = 4_000_000 + i64::from(n * n) * 1_900_000;
    let share = if state == CampaignState::Exhausted { 100 } else { i64::from(n * 29 % 97) };
    let even = n % 3 == 1;
    CampaignView {
        id: u64::from(1_001 + n),
        name: format!("{} {n}", ["always on", "clearance", "summer sale", "brand awareness"][n as usize % 4]),
        advertiser: ["Lindenwerk", "Nordhof & Co.", "Hafenkontor"][n as usize % 3].to_owned(),
        pacing: if even { "even" } else { "asap" }.to_owned(),
        state,
        spent_micros: budget / 100 * share,
        budget_micros: (n % 7 != 6).then_some(budget),
        budget_kind: [BudgetKind::Lifetime, BudgetKind::Day][n as usize % 2],
        planned_micros: even.then_some(budget / 100 * (share + 9).min(100)),
        multiplier_ppm: if even { 640_000 } else { 1_000_000 },
        impressions: u64::from(n * 311),
        clicks: u64::from(n * 13),
    }
}

fn ctr() -> CtrView {
    let point = |n: u32| {
        let t = f64::from(n);
        let predicted = 0.046 - 0.02 * (-t / 9.0).exp();
        CtrPoint {
            time_ms: NOW_MS,
            predicted,
            observed: 0.044 + 0.004 * (t * 1.7).sin(),
            truth: Some(0.0445 + 0.001 * (t / 7.0).sin()),
        }
    };
    let decile = |n: u32| {
        let predicted = 0.004 * 1.42_f64.powf(f64::from(n));
        Decile {
            rows: 11_087,
            predicted,
            observed: predicted * (1.0 + 0.13 * f64::from(n * 7).sin()),
            truth: Some(predicted * 0.97),
        }
    };
    CtrView {
        rendered: 110_871,
        clicks: 5_113,
        predicted: Some(0.0459),
        observed: Some(0.0461),
        truth: Some(0.0452),
        history: (0..60).map(point).collect(),
        deciles: (0..10).map(decile).collect(),
    }
}

fn training(number: u32, note: Option<&str>) -> TrainingView {
    TrainingView {
        number,
        model: format!("ctr-{number:04}"),
        finished_ms: NOW_MS - 60_000 * i64::from(4 - number),
        took_ms: 1_830,
        rows: u64::from(number * 31_200),
        clicks: u64::from(number * 1_402),
        auc: Some(0.71 + 0.012 * f64::from(number)),
        log_loss: 0.1712 - 0.003 * f64::from(number),
        normalised_entropy: Some(0.914),
        calibration: Some(1.02),
        swapped_ms: note.is_none().then_some(NOW_MS - 60_000),
        note: note.map(str::to_owned),
    }
}

fn fates(scale: u64) -> Vec<Count> {
    [
        (Fate::Shown, 4),
        (Fate::Capped, 9),
        (Fate::BelowCut, 301),
        (Fate::BelowFloor, 6),
        (Fate::Outbid, 31),
        (Fate::FormatMismatch, 2),
    ]
    .map(|(fate, n)| Count::of_fate(fate, n * scale))
    .to_vec()
}

fn decision(title: &str, n: u32) -> DecisionRow {
    DecisionRow {
        id: format!("{n:x}{}", &ID[1..]),
        time_ms: NOW_MS - i64::from(n) * 17,
        took_us: 640 + n,
        user: (n % 4 != 3).then(|| "1f93a0c2".to_owned()),
        context: "mobile · DE-BE · running shoes".to_owned(),
        candidates: 353,
        degraded: if n == 2 { vec!["viewer".to_owned()] } else { Vec::new() },
        shown: (0..n % 4).map(|slot| won(title, slot)).collect(),
        fates: fates(1),
    }
}

fn won(title: &str, slot: u32) -> WonView {
    WonView {
        placement: "Search results".to_owned(),
        slot: u8::try_from(slot).unwrap_or(0),
        ad_id: 300_017,
        title: title.to_owned(),
        advertiser: "Lindenwerk".to_owned(),
        bid: Money { micros: 300_000, per: Per::Click },
        price: Money { micros: 214_500, per: Per::Click },
        pctr: 0.061,
        why: "worth 18.30 a thousand, ahead of “Wide-fit vegan sneakers 250” (Nordhof & Co.) at 13.08".to_owned(),
        explored: slot == 2,
    }
}

pub(crate) fn explanation(title: &str) -> ExplanationView {
    let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
    ExplanationView {
        recomputed: Vec::new(),
        id: ID.to_owned(),
        time_ms: NOW_MS,
        user: Some("011f93a0c2".to_owned()),
        degraded: vec!["viewer".to_owned()],
        full: true,
        request: vec![
            fact("device", "mobile"),
            fact("os", "android"),
            fact("geo", "DE, DE-BE, DE-BE/Berlin"),
            fact("keyword", "running, shoes"),
        ],
        world: vec![
            fact("catalog", "timeline 0, sequence 2,153"),
            fact("model", "ctr-0003 (9f2c41d07a)"),
            fact("pacing table", "184"),
            fact("seed", "6b1f0c55ab20d3e1"),
        ],
        steps: [("gather", 31), ("shortlist", 402), ("predict", 118), ("settle", 22), ("commit", 61)]
            .map(|(name, took_us)| Step { name: name.to_owned(), took_us })
            .to_vec(),
        line_items: 67,
        ineligible: vec![Count::of_ineligible(Ineligible::Targeting, 22), Count::of_ineligible(Ineligible::Funds, 4)],
        placements: vec![placement(title, 0, "Search results"), placement(title, 1, "Banner on top")],
        candidates: (0..60).map(|n| candidate(title, n)).collect(),
    }
}

fn placement(title: &str, index: u8, name: &str) -> PlacementView {
    let shown = |slot: u8| ShownView {
        slot,
        ad_id: 300_017 + u64::from(slot),
        title: title.to_owned(),
        advertiser: "Lindenwerk".to_owned(),
        bid: Money { micros: 300_000, per: Per::Click },
        price: Money { micros: 214_500 - i64::from(slot) * 30_100, per: Per::Click },
        pctr: 0.061,
        value_micros: 18.3e6 / f64::from(slot + 1),
        explored: false,
        runner_up: (slot < 2).then(|| RunnerUp {
            ad_id: 300_911,
            title: "Wide-fit vegan sneakers 250".to_owned(),
            advertiser: "Nordhof & Co.".to_owned(),
            value_micros: 13.08e6 / f64::from(slot + 1),
        }),
    };
    let slots = if index == 0 { 3 } else { 1 };
    PlacementView {
        id: u64::from(index) + 1,
        name: name.to_owned(),
        slots,
        floor_micros: 700_000,
        shown: (0..slots).map(shown).collect(),
        fates: fates(1),
    }
}

fn candidate(title: &str, n: u32) -> CandidateView {
    let entered = n.is_multiple_of(2);
    let mut first = Ending::of(if n == 0 {
        Fate::Shown
    } else if entered {
        Fate::Outbid
    } else {
        Fate::BelowCut
    });
    if n == 0 {
        (first.slot, first.price) = (Some(0), Some(Money { micros: 214_500, per: Per::Click }));
    }
    let feature = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
    CandidateView {
        ad_id: u64::from(300_017 + n),
        line_item_id: 10_004,
        campaign: "always on 4".to_owned(),
        advertiser: "Lindenwerk".to_owned(),
        title: title.to_owned(),
        sources: vec!["category".to_owned(), "popular".to_owned()],
        score: Some(0.031 / f64::from(n + 1)),
        bid: Some(Money { micros: 300_000, per: Per::Click }),
        pctr: entered.then_some(0.061 / f64::from(n + 1)),
        pcvr: entered.then_some(0.11),
        pacing_ppm: Some(if n.is_multiple_of(4) { 1_000_000 } else { 420_000 }),
        value_micros: entered.then_some(18.3e6 / f64::from(n + 1)),
        fates: vec![first, Ending::of(Fate::FormatMismatch)],
        features: if entered {
            vec![feature("viewer × category", "7 looks"), feature("ad age", "3 d")]
        } else {
            Vec::new()
        },
    }
}
