//! Lines over the hours of a day, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 48.0;
const HOURS: f64 = 24.0;

/// One pair of axes: hours across, shares of something up.
pub(super) struct Panel {
    pub(super) says: &'static str,
    /// Up to which share.
    pub(super) most: f64,
    pub(super) top: f64,
    pub(super) height: f64,
}

/// A colour and whether it is dashed.
#[derive(Clone, Copy)]
pub(super) struct Pen(pub(super) &'static str, pub(super) bool);

pub(super) struct Chart(String);

impl Chart {
    pub(super) fn new(title: &str, height: f64) -> Self {
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>"
        );
        add(&mut text, (LEFT, 16.0), &format!("font-size=\"13\">{}", escaped(title)));
        Self(text)
    }

    pub(super) fn axes(&mut self, panel: &Panel) {
        for part in 0..=2 {
            let share = panel.most * f64::from(part) / 2.0;
            let y = up(panel, share);
            self.0 += &format!("<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>");
            add(&mut self.0, (LEFT - 6.0, y + 4.0), &format!("text-anchor=\"end\">{:.0} %", share * 100.0));
        }
        for hour in (0..=24_u32).step_by(4) {
            let place = (across(f64::from(hour)), panel.top + panel.height + 14.0);
            add(&mut self.0, place, &format!("text-anchor=\"middle\">{hour}:00"));
        }
        add(&mut self.0, (LEFT, panel.top - 5.0), &format!("fill=\"#555\">{}", escaped(panel.says)));
    }

    pub(super) fn line(&mut self, panel: &Panel, Pen(colour, dashed): Pen, points: impl Iterator<Item = (f64, f64)>) {
        let dashes = if dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        self.0 += &format!("<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dashes} points=\"");
        for (hour, share) in points {
            let _written = write!(self.0, "{:.1},{:.1} ", across(hour), up(panel, share.clamp(0.0, panel.most)));
        }
        self.0 += "\"/>";
    }

    pub(super) fn finish(self) -> String {
        self.0 + "</svg>\n"
    }
}

fn add(text: &mut String, (x, y): (f64, f64), rest: &str) {
    *text += &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" {rest}</text>");
}

fn across(hour: f64) -> f64 {
    LEFT + (WIDTH - LEFT - 16.0) * hour / HOURS
}

fn up(panel: &Panel, share: f64) -> f64 {
    panel.top + panel.height * (1.0 - share / panel.most)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
