use litfass_market::{Factors, MULTIPLIER_PPM_MAX, value};
use litfass_types::{Nanos, PPM, Prediction, Price, Probability, Unit, Value};
use proptest::prelude::*;

fn prediction(click: u32, conversion: u32) -> Prediction {
    Prediction { click: Probability::from_bits(click), conversion: Probability::from_bits(conversion) }
}

prop_compose! {
    fn factors()(
        per in prop_oneof![Just(Unit::Mille), Just(Unit::Click), Just(Unit::Action)],
        click in prop_oneof![any::<u32>(), 0_u32..9, Just(u32::MAX)],
        conversion in prop_oneof![any::<u32>(), 0_u32..9, Just(u32::MAX)],
        pacing_ppm in prop_oneof![Just(PPM), 0..=MULTIPLIER_PPM_MAX, 0_u32..9, any::<u32>()],
        quality_ppm in prop_oneof![Just(PPM), 0..=MULTIPLIER_PPM_MAX, 0_u32..9, any::<u32>()],
    ) -> Factors {
        Factors { per, prediction: prediction(click, conversion), pacing_ppm, quality_ppm }
    }
}

fn micros() -> impl Strategy<Value = i64> {
    prop_oneof![0..=Price::MAX_MICROS, 0_i64..5_000_000, Just(Price::MAX_MICROS)]
}

proptest! {
    #[test]
    fn the_price_for_a_value_is_the_smallest_that_reaches_it(f in factors(), micros in micros(), off in -3_i128..4) {
        let target = Value(f.value(micros).0 + off);
        match f.price_for(target) {
            Some(price) => {
                prop_assert!(f.value(price) >= target);
                prop_assert!(price == 0 || f.value(price - 1) < target, "{price} is not the smallest for {target:?}");
            }
            None => prop_assert!(f.value(Price::MAX_MICROS) < target),
        }
    }

    #[test]
    fn a_higher_price_is_never_worth_less(f in factors(), a in micros(), b in micros()) {
        prop_assert!(f.value(a.min(b)) <= f.value(a.max(b)));
    }

    #[test]
    fn any_target_has_a_price_or_is_out_of_reach(f in factors(), target in any::<i128>()) {
        let reachable = f.value(Price::MAX_MICROS) >= Value(target);
        prop_assert_eq!(f.price_for(Value(target)).is_some(), reachable);
    }
}

#[test]
fn the_largest_of_everything_fits() {
    let most = Factors {
        per: Unit::Action,
        prediction: prediction(u32::MAX, u32::MAX),
        pacing_ppm: u32::MAX,
        quality_ppm: u32::MAX,
    };
    let largest = most.value(i64::MAX);
    assert_eq!(largest, most.value(Price::MAX_MICROS));
    assert!(largest > Value(1 << 97) && most.price_for(largest).is_some());
}

#[test]
fn a_cpm_of_2_50_is_worth_2500_micros_an_impression() {
    let cpm = Price { micros: 2_500_000, per: Unit::Mille };
    assert_eq!(value(cpm, prediction(1, 1), PPM, PPM), Value::from_nanos(Nanos(2_500_000)));
}

#[test]
fn a_click_bid_is_worth_its_probability_and_an_action_bid_also_that_of_the_conversion() {
    let quarter = prediction(1 << 30, 1 << 31);
    let bid = |per| Price { micros: 4_000_000, per };
    assert_eq!(value(bid(Unit::Click), quarter, PPM, PPM), Value::from_nanos(Nanos(1_000_000_000)));
    assert_eq!(value(bid(Unit::Action), quarter, PPM, PPM), Value::from_nanos(Nanos(500_000_000)));
    assert_eq!(value(bid(Unit::Action), quarter, PPM / 2, 3 * PPM), Value::from_nanos(Nanos(750_000_000)));
}

#[test]
fn each_factor_is_floored_in_its_turn() {
    // 3 · 0.333333 → ⌊0.999999⌋ = 0, and three times nothing is nothing; the other way round it would be 2.
    let f =
        Factors { per: Unit::Click, prediction: prediction(1, 1), pacing_ppm: 999, quality_ppm: MULTIPLIER_PPM_MAX };
    assert_eq!(f.value(1), Value(0));
    assert_eq!(f.value(2), Value(10)); // 2000 · 999 / 10⁶ = 1.998
}

#[test]
fn nothing_reaches_a_value_when_a_multiplier_is_zero() {
    let paced_out = Factors { per: Unit::Mille, prediction: prediction(1, 1), pacing_ppm: 0, quality_ppm: PPM };
    assert_eq!((paced_out.price_for(Value(0)), paced_out.price_for(Value(1))), (Some(0), None));
}
