//! The accent color of an operator, in colors that people can read (WCAG 2.2 §1.4.3).

use crate::config::Color;

/// The backgrounds of links and marks, in light and in dark mode; `style.css` has the same colors.
const LIGHT: [Color; 3] =
    [Color([0xf2, 0xf4, 0xf8]), Color([0xff, 0xff, 0xff]), Color([0xf6, 0xf8, 0xfb])];
const DARK: [Color; 3] =
    [Color([0x0f, 0x13, 0x1a]), Color([0x18, 0x1e, 0x28]), Color([0x1f, 0x27, 0x33])];

const BLACK: Color = Color([0, 0, 0]);
const WHITE: Color = Color([0xff, 0xff, 0xff]);

/// The least contrast of readable text.
const CONTRAST_MIN: f64 = 4.5;

/// CSS rules that follow those of `style.css`. Buttons have the accent color itself; links and marks have it as much
/// darker or lighter as readable text needs.
pub(super) fn rules(accent: Color) -> String {
    let ink = if contrast(WHITE, accent) >= CONTRAST_MIN { WHITE } else { BLACK };
    let hover = mixed(accent, if ink == WHITE { BLACK } else { WHITE }, 15);
    let (light, dark) = (readable(accent, &LIGHT, BLACK), readable(accent, &DARK, WHITE));
    format!(
        ":root {{ --act: {light}; --fill: {accent}; --fill-hover: {hover}; --fill-ink: {ink}; }}\n\
         @media (prefers-color-scheme: dark) {{ :root {{ --act: {dark}; --fill: {accent}; \
         --fill-hover: {hover}; --fill-ink: {ink}; }} }}\n"
    )
}

/// The color, mixed with `toward` until it is readable on each of `grounds`.
fn readable(color: Color, grounds: &[Color], toward: Color) -> Color {
    let shades = (0..=100).map(|percent| mixed(color, toward, percent));
    let is_readable =
        |shade: &Color| grounds.iter().all(|ground| contrast(*shade, *ground) >= CONTRAST_MIN);
    shades.into_iter().find(is_readable).unwrap_or(toward)
}

/// `percent` of `other` in a color.
fn mixed(color: Color, other: Color, percent: u16) -> Color {
    let mut parts = color.0;
    for (part, other) in parts.iter_mut().zip(other.0) {
        let sum = u16::from(*part) * (100 - percent) + u16::from(other) * percent;
        *part = u8::try_from(sum / 100).unwrap_or(u8::MAX);
    }
    Color(parts)
}

/// The contrast of two colors (WCAG 2.2, "contrast ratio").
fn contrast(one: Color, other: Color) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// How light a color is (WCAG 2.2, "relative luminance").
fn luminance(color: Color) -> f64 {
    let [red, green, blue] = color.0.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126_f64.mul_add(red, 0.7152_f64.mul_add(green, 0.0722 * blue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_color_can_be_read() {
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let accent = Color([red, green, blue]);
                    let rules = rules(accent);
                    let colors: Vec<Color> = rules.split('#').skip(1).map(color).collect();
                    let [light, fill, hover, ink, dark, ..] = colors[..] else { panic!("{rules}") };
                    for (grounds, text) in [(LIGHT, light), (DARK, dark)] {
                        assert!(grounds.iter().all(|it| contrast(*it, text) >= 4.5), "{rules}");
                    }
                    assert!(contrast(ink, fill) >= 4.5 && contrast(ink, hover) >= 4.5, "{rules}");
                    assert_eq!(fill, accent);
                }
            }
        }
    }

    fn color(rest: &str) -> Color {
        let part = |at: usize| u8::from_str_radix(rest.get(at..at + 2).unwrap(), 16).unwrap();
        Color([part(0), part(2), part(4)])
    }

    #[test]
    fn a_readable_color_stays_as_it_is() {
        assert_eq!(readable(Color([0x24, 0x56, 0xc7]), &LIGHT, BLACK), Color([0x24, 0x56, 0xc7]));
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 0.001);
    }
}
