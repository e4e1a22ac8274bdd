//! How many visits a shop has at what time of day.

/// Share of the mean load at each full hour: quiet before dawn, busy at noon, busiest in the evening. Their mean is 1.
const HOURS: [f64; 24] = [
    0.55, 0.35, 0.25, 0.2, 0.2, 0.3, 0.5, 0.8, 1.0, 1.1, 1.2, 1.25, 1.35, 1.25, 1.15, 1.1, 1.15, 1.25, 1.4, 1.65, 1.8,
    1.7, 1.4, 1.1,
];

/// The load `minute` minutes after midnight relative to the day's mean, linear between the hours.
#[must_use]
pub fn load_at(minute: u32) -> f64 {
    let minute = minute % 1_440;
    let hour = usize::try_from(minute / 60).unwrap_or(0);
    let share = f64::from(minute % 60) / 60.0;
    HOURS[hour] * (1.0 - share) + HOURS[(hour + 1) % 24] * share
}
