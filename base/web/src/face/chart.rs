//! Line charts drawn by the server: an SVG without words, its labels in HTML beside it so that they never
//! stretch, a summary for those who do not see it, and its numbers as a table, which the page script's
//! crosshair reads too. Colours come from the style sheet, so a change of theme needs no redraw.

use std::fmt::Write;

use super::{Html, escape, text};

/// A longer series is thinned to so many points: more than the pixels of a narrow screen.
pub const MAX_POINTS: usize = 300;
/// The drawing's own units; it is stretched to the width of the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in legend and table.
    pub name: String,
    /// One value per label of the chart; what is not finite counts as 0, what is below 0 is drawn at 0.
    pub values: Vec<f64>,
    /// Drawn dashed, so that it differs by more than its colour.
    pub dashed: bool,
}

/// A chart of one unit over time. Counts and money start at 0; two units want two charts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// The title, also its name for screen readers.
    pub title: String,
    /// What it shows, in a sentence or two, for those who do not see it.
    pub summary: String,
    /// What the labels are: "Day".
    pub label_name: String,
    /// One per point, oldest first.
    pub labels: Vec<String>,
    /// Written after each value, such as ` ms`; empty for counts.
    pub unit: String,
    /// Up to five lines, in the order of the style sheet's series colours.
    pub series: Vec<Series>,
}

impl Chart {
    /// The chart as a `<figure>`. Without points it says that there is no data yet.
    #[must_use]
    pub fn render(&self) -> Html {
        let chart = self.thinned();
        let mut out = format!(r#"<figure class="chart" data-title="{}">"#, escape(&chart.title));
        if chart.labels.len() < 2 || chart.series.is_empty() {
            out.push_str(r#"<p class="nodata">No data yet</p></figure>"#);
            return Html::trusted(out);
        }
        let scale = Scale::of(chart.series.iter().flat_map(|series| &series.values));
        chart.legend(&mut out);
        out.push_str(r#"<div class="plots"><div class="plot">"#);
        chart.plot(&mut out, &scale);
        scale.axis(&mut out);
        out.push_str("</div>");
        chart.x_axis(&mut out);
        out.push_str(r#"<div class="cross" hidden></div><div class="tip" hidden></div></div>"#);
        let _ = write!(out, r#"<figcaption class="vh">{}</figcaption>"#, escape(&chart.summary));
        chart.table(&mut out);
        out.push_str("</figure>");
        Html::trusted(out)
    }

    /// The same chart with at most [`MAX_POINTS`] points: each the mean of its neighbours.
    fn thinned(&self) -> Self {
        let mut chart = self.clone();
        let n = chart.series.iter().map(|series| series.values.len()).fold(chart.labels.len(), usize::min);
        chart.labels.truncate(n);
        for series in &mut chart.series {
            series.values.truncate(n);
            series.values.iter_mut().for_each(|value| *value = tame(*value));
        }
        if n > MAX_POINTS {
            let step = n.div_ceil(MAX_POINTS);
            chart.labels = chart.labels.chunks(step).filter_map(|chunk| chunk.first().cloned()).collect();
            for series in &mut chart.series {
                series.values = series.values.chunks(step).map(mean).collect();
            }
        }
        chart
    }

    fn legend(&self, out: &mut String) {
        out.push_str(r#"<div class="legend">"#);
        for (i, series) in self.series.iter().enumerate() {
            let _ = write!(
                out,
                r#"<span><i{} style="--c:var(--c{})"></i>{} <b>{}{}</b></span>"#,
                if series.dashed { r#" class="dash""# } else { "" },
                i % 5 + 1,
                escape(&series.name),
                number(series.values.last().copied().unwrap_or_default()),
                escape(&self.unit),
            );
        }
        out.push_str("</div>");
    }

    fn plot(&self, out: &mut String, scale: &Scale) {
        let _ = write!(
            out,
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">"#
        );
        for tick in 0..=scale.ticks {
            let y = HEIGHT * f64::from(tick) / f64::from(scale.ticks);
            let _ = write!(out, r#"<line x1="0" x2="{WIDTH}" y1="{y:.1}" y2="{y:.1}"/>"#);
        }
        for (i, series) in self.series.iter().enumerate() {
            let line = path(&series.values, WIDTH, HEIGHT, scale.top);
            let colour = i % 5 + 1;
            if self.series.len() == 1 {
                let _ = write!(
                    out,
                    r#"<path class="area" style="--c:var(--c{colour})" d="{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z"/>"#
                );
            }
            let dash = if series.dashed { r#" class="dash""# } else { "" };
            let _ = write!(out, r#"<path{dash} style="--c:var(--c{colour})" d="{line}"/>"#);
        }
        out.push_str("</svg>");
    }

    /// Up to five labels under the plot: the ends and what stands evenly between.
    fn x_axis(&self, out: &mut String) {
        let last = self.labels.len() - 1;
        let marks = last.min(4);
        out.push_str(r#"<div class="xs" aria-hidden="true">"#);
        for mark in 0..=marks {
            if let Some(label) = self.labels.get(last * mark / marks) {
                let _ = write!(out, "<span>{}</span>", escape(label));
            }
        }
        out.push_str("</div>");
    }

    fn table(&self, out: &mut String) {
        let name = escape(&self.title);
        let _ = write!(
            out,
            r#"<details class="datatable"><summary>Show as table</summary><div class="table-wrap" tabindex="0" role="region" aria-label="{name}, as a table"><table class="table"><thead><tr><th scope="col">{}</th>"#,
            escape(&self.label_name)
        );
        for series in &self.series {
            let _ = write!(out, r#"<th scope="col" class="num">{}</th>"#, escape(&series.name));
        }
        out.push_str("</tr></thead><tbody>");
        for (row, label) in self.labels.iter().enumerate() {
            let _ = write!(out, r#"<tr><th scope="row">{}</th>"#, escape(label));
            for series in &self.series {
                let value = series.values.get(row).copied().unwrap_or_default();
                let _ = write!(out, r#"<td class="num">{}{}</td>"#, number(value), escape(&self.unit));
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div></details>");
    }
}

/// A small line without axes, e.g. inside a stat. `label` says what it shows, since it has no words.
#[must_use]
pub fn sparkline(values: &[f64], label: &str) -> Html {
    let step = values.len().div_ceil(MAX_POINTS / 3).max(1);
    let values: Vec<f64> = values.chunks(step).map(mean).collect();
    let (width, height) = (300.0, 36.0);
    let top = values.iter().copied().fold(0.0, f64::max);
    let line = path(&values, width, height - 2.0, top);
    Html::trusted(format!(
        r#"<svg class="spark" viewBox="0 -1 {width} {height}" preserveAspectRatio="none" role="img" aria-label="{}"><path class="area" d="{line}L{width} {height}L0 {height}Z"/><path d="{line}"/></svg>"#,
        escape(label)
    ))
}

/// A vertical axis from 0 to a round number.
struct Scale {
    top: f64,
    ticks: u32,
}

impl Scale {
    fn of<'a>(values: impl Iterator<Item = &'a f64>) -> Self {
        let largest = values.copied().fold(0.0, f64::max);
        if largest <= 0.0 {
            return Self { top: 4.0, ticks: 4 };
        }
        let rough = largest / 4.0;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|m| m * magnitude).find(|step| *step >= rough);
        let step = step.unwrap_or(magnitude * 10.0);
        // The fewest steps that hold the largest value.
        let ticks = (1..4).find(|ticks| step * f64::from(*ticks) >= largest).unwrap_or(4);
        Self { top: step * f64::from(ticks), ticks }
    }

    fn axis(&self, out: &mut String) {
        for tick in 0..=self.ticks {
            let share = f64::from(tick) / f64::from(self.ticks);
            let _ = write!(
                out,
                r#"<span class="y" style="top:{:.1}%" aria-hidden="true">{}</span>"#,
                100.0 - share * 100.0,
                short(self.top * share)
            );
        }
    }
}

/// A value that can be drawn: finite, and neither too small nor too large for the axis to name.
fn tame(value: f64) -> f64 {
    if value.is_finite() && value.abs() >= 1e-6 { value.clamp(-1e15, 1e15) } else { 0.0 }
}

fn mean(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().copied().map(tame).sum();
    if values.is_empty() { 0.0 } else { sum / values.len() as f64 }
}

/// `values` as a path that fills `width`; `top` is at 0, zero at `height`.
fn path(values: &[f64], width: f64, height: f64, top: f64) -> String {
    let last = values.len().saturating_sub(1).max(1) as f64;
    let mut out = String::with_capacity(values.len() * 12);
    for (i, value) in values.iter().enumerate() {
        let x = i as f64 / last * width;
        let y = if top > 0.0 { height - value.clamp(0.0, top) / top * height } else { height };
        let _ = write!(out, "{}{x:.0} {y:.1}", if i == 0 { 'M' } else { 'L' });
    }
    if out.is_empty() { format!("M0 {height}") } else { out }
}

/// A value as the table and the legend write it.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 {
        return text::count(value.round() as i128);
    }
    format!("{value:.1}")
}

/// A value as the axis writes it: `1.5k`, `20M`.
fn short(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn chart(values: Vec<f64>) -> Chart {
        Chart {
            title: "Downloads".into(),
            summary: "Downloads per day, rising.".into(),
            label_name: "Day".into(),
            labels: (0..values.len()).map(|day| format!("2026-01-{:02}", day + 1)).collect(),
            unit: String::new(),
            series: vec![Series { name: "Downloads".into(), values, dashed: false }],
        }
    }

    #[test]
    fn a_small_chart_is_drawn_whole() {
        insta::assert_snapshot!(chart(vec![0.0, 1_200.0, 800.0, 1_600.0]).render());
    }

    #[test]
    fn a_sparkline_is_drawn() {
        insta::assert_snapshot!(sparkline(&[1.0, 3.0, 2.0], "Rising & falling"));
    }

    #[test]
    fn nothing_to_draw_says_so() {
        assert!(chart(vec![]).render().as_str().contains("No data yet"));
        assert!(chart(vec![1.0]).render().as_str().contains("No data yet"));
    }

    #[test]
    fn long_series_are_thinned_to_their_means() {
        let thin = chart((0..1_000).map(f64::from).collect()).thinned();
        assert!(thin.labels.len() <= MAX_POINTS);
        assert_eq!(thin.labels.len(), thin.series[0].values.len());
        assert!((thin.series[0].values[0] - 1.5).abs() < 1e-9);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        let top = |largest: f64| (Scale::of([largest].iter()).top, Scale::of([largest].iter()).ticks);
        assert_eq!(top(62.0), (80.0, 4));
        assert_eq!(top(1_600.0), (2_000.0, 4));
        assert_eq!(top(0.0), (4.0, 4));
        assert_eq!(short(1_500.0), "1.5k");
        assert_eq!(short(0.25), "0.25");
    }

    proptest! {
        #[test]
        fn any_numbers_and_words_give_sound_markup(values in prop::collection::vec(any::<f64>(), 0..700), title in "\\PC{0,20}") {
            let mut chart = chart(values);
            chart.title = title;
            let html = chart.render().into_string();
            let within_text = !html.contains("NaN") && !html.contains("inf ");
            prop_assert!(within_text);
            prop_assert_eq!(html.matches("<figure").count(), 1);
            prop_assert!(html.matches("<tr>").count() <= MAX_POINTS + 1);
        }
    }
}
