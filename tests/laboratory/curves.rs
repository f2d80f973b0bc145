//! Pictures of the findings, as SVG.

use core::fmt::Write;

/// The size of a picture, and its margins.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
const RIGHT: f64 = 260.0;
const BOTTOM: f64 = 56.0;
/// Colours that differ in brightness, too (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// A line in a picture.
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// How many of the downloads are complete, in percent, over time.
pub fn completed(name: &str, times: &[f64], of: usize) -> Curve {
    let mut points = vec![(0.0, 0.0)];
    for (count, &time) in times.iter().enumerate() {
        points.push((time, 100.0 * count as f64 / of as f64));
        points.push((time, 100.0 * (count + 1) as f64 / of as f64));
    }
    Curve { name: name.into(), points }
}

fn head(title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n"
    )
}

/// A round number, so that an axis of this length has four to ten ticks.
fn tick(length: f64) -> f64 {
    let ten = 10f64.powf((length / 4.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * ten).find(|step| length / step >= 4.0).unwrap_or(ten)
}

/// Curves over one axis; `mark`: an upright line, and what it means.
pub fn picture(title: &str, across: &str, up: &str, curves: &[Curve], mark: Option<(f64, &str)>) -> String {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let widest = points().map(|(x, _)| x).chain(mark.map(|(x, _)| x)).fold(1e-9, f64::max) * 1.02;
    let highest = points().map(|(_, y)| y).fold(1e-9, f64::max) * 1.05;
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let at = |x: f64, y: f64| (LEFT + x / widest * width, TOP + height - y / highest * height);
    let (bottom, right) = (TOP + height, LEFT + width);
    let mut svg = head(title);
    let mut line = |text: String| svg.push_str(&(text + "\n"));
    for number in 0..=(highest / tick(highest)) as usize {
        let value = number as f64 * tick(highest);
        let (_, y) = at(0.0, value);
        line(format!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>"));
        line(format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>", LEFT - 8.0, y + 4.0, short(value)));
    }
    for number in 0..=(widest / tick(widest)) as usize {
        let value = number as f64 * tick(widest);
        let (x, _) = at(value, 0.0);
        line(format!("<path d=\"M{x:.1} {bottom}v5\" stroke=\"black\"/>"));
        line(format!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", bottom + 20.0, short(value)));
    }
    line(format!("<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>"));
    line(format!("<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{across}</text>", HEIGHT - 12.0));
    line(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"start\">{up}</text>", LEFT - 50.0, TOP - 8.0));
    if let Some((x, text)) = mark {
        let (x, _) = at(x, 0.0);
        line(format!("<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"black\" stroke-dasharray=\"5 4\"/>"));
        line(format!("<text x=\"{:.1}\" y=\"{}\">{text}</text>", x + 5.0, TOP + 14.0));
    }
    for (number, curve) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let mut path = String::new();
        for (number, &(x, y)) in curve.points.iter().enumerate() {
            let (x, y) = at(x, y);
            let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
        }
        line(format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\"/>"));
        let y = TOP + 20.0 + 22.0 * number as f64;
        line(format!("<path d=\"M{} {y}h22\" stroke=\"{colour}\" stroke-width=\"3\"/>", right + 16.0));
        line(format!("<text x=\"{}\" y=\"{}\">{}</text>", right + 44.0, y + 4.0, curve.name));
    }
    svg + "</svg>\n"
}

/// A number on an axis.
fn short(value: f64) -> String {
    if value.fract().abs() < 1e-6 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// A table of squares, the darker the larger: `shares[row][column]` is from 0 to 1.
pub fn squares(title: &str, rows: &str, columns: &str, names: &[&str], shares: &[Vec<f64>]) -> String {
    let size = 90.0;
    let mut svg = head(title);
    let (left, top) = (LEFT + 130.0, TOP + 46.0);
    let mut line = |text: String| svg.push_str(&(text + "\n"));
    line(format!("<text x=\"{left}\" y=\"{}\">{columns}</text>", TOP + 6.0));
    line(format!("<text x=\"20\" y=\"{}\">{rows}</text>", TOP + 30.0));
    for (row, of) in shares.iter().enumerate() {
        let y = top + size * row as f64;
        line(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", left - 10.0, y + 50.0, names[row]));
        for (column, share) in of.iter().enumerate() {
            let x = left + size * column as f64;
            let ink = if *share > 0.5 { "white" } else { "black" };
            if row == 0 {
                line(format!(
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    x + 44.0,
                    top - 8.0,
                    names[column]
                ));
            }
            line(format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"88\" height=\"88\" fill=\"#0072b2\" fill-opacity=\"{share:.2}\"/>"
            ));
            line(format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"{ink}\">{:.0} %</text>",
                x + 44.0,
                y + 50.0,
                share * 100.0
            ));
        }
    }
    svg + "</svg>\n"
}
