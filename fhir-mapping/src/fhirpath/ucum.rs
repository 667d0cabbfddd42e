//! Units of UCUM (The Unified Code for Units of Measure): the grammar of case-sensitive codes, and
//! the units that health records use. A unit that is not known is equal to itself only.

/// A unit in base units: so many times a product of metre, gram, second, radian, kelvin, coulomb and
/// candela.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub(crate) factor: f64,
    pub(crate) dimension: [i8; 7],
}

const ONE: Unit = Unit {
    factor: 1.0,
    dimension: [0; 7],
};

/// How deep parentheses may nest.
const MAXIMUM_DEPTH: usize = 16;

const PREFIXES: [(&str, f64); 24] = [
    ("da", 1e1),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Y", 1e24),
    ("Z", 1e21),
    ("E", 1e18),
    ("P", 1e15),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("h", 1e2),
    ("d", 1e-1),
    ("c", 1e-2),
    ("m", 1e-3),
    ("u", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
    ("a", 1e-18),
    ("z", 1e-21),
    ("y", 1e-24),
];

/// Atoms: code, whether prefixes go with it, and its definition by others; `*` for base units.
const ATOMS: [(&str, bool, f64, &str); 105] = [
    ("m", true, 1.0, "*0"),
    ("g", true, 1.0, "*1"),
    ("s", true, 1.0, "*2"),
    ("rad", true, 1.0, "*3"),
    ("K", true, 1.0, "*4"),
    ("C", true, 1.0, "*5"),
    ("cd", true, 1.0, "*6"),
    ("10*", false, 10.0, "1"),
    ("10^", false, 10.0, "1"),
    ("%", false, 0.01, "1"),
    ("[ppth]", false, 1e-3, "1"),
    ("[ppm]", false, 1e-6, "1"),
    ("[ppb]", false, 1e-9, "1"),
    ("[pptr]", false, 1e-12, "1"),
    ("[pi]", false, std::f64::consts::PI, "1"),
    ("mol", true, 6.022_136_7e23, "1"),
    ("sr", true, 1.0, "rad2"),
    ("Hz", true, 1.0, "s-1"),
    ("N", true, 1.0, "kg.m/s2"),
    ("Pa", true, 1.0, "N/m2"),
    ("J", true, 1.0, "N.m"),
    ("W", true, 1.0, "J/s"),
    ("A", true, 1.0, "C/s"),
    ("V", true, 1.0, "J/C"),
    ("F", true, 1.0, "C/V"),
    ("Ohm", true, 1.0, "V/A"),
    ("S", true, 1.0, "A/V"),
    ("Wb", true, 1.0, "V.s"),
    ("T", true, 1.0, "Wb/m2"),
    ("H", true, 1.0, "Wb/A"),
    ("lm", true, 1.0, "cd.sr"),
    ("lx", true, 1.0, "lm/m2"),
    ("Bq", true, 1.0, "s-1"),
    ("Gy", true, 1.0, "J/kg"),
    ("Sv", true, 1.0, "J/kg"),
    ("gon", false, 0.9, "deg"),
    ("deg", false, 2.0, "[pi].rad/360"),
    ("'", false, 1.0, "deg/60"),
    ("''", false, 1.0, "'/60"),
    ("l", true, 1.0, "dm3"),
    ("L", true, 1.0, "dm3"),
    ("ar", true, 100.0, "m2"),
    ("min", false, 60.0, "s"),
    ("h", false, 60.0, "min"),
    ("d", false, 24.0, "h"),
    ("a_t", false, 365.242_19, "d"),
    ("a_j", false, 365.25, "d"),
    ("a_g", false, 365.2425, "d"),
    ("a", false, 365.25, "d"),
    ("wk", false, 7.0, "d"),
    ("mo_j", false, 1.0, "a_j/12"),
    ("mo_g", false, 1.0, "a_g/12"),
    ("mo", false, 1.0, "a_j/12"),
    ("t", true, 1e3, "kg"),
    ("bar", true, 1e5, "Pa"),
    ("u", true, 1.660_540_2e-24, "g"),
    ("eV", true, 1.602_177_33e-19, "J"),
    ("pc", true, 3.085_678e16, "m"),
    ("gf", true, 9.80665, "g.m/s2"),
    ("[lbf_av]", false, 9.80665, "[lb_av].m/s2"),
    ("dyn", true, 1.0, "g.cm/s2"),
    ("erg", true, 1.0, "dyn.cm"),
    ("P", true, 1.0, "dyn.s/cm2"),
    ("St", true, 1.0, "cm2/s"),
    ("G", true, 1e-4, "T"),
    ("Ci", true, 3.7e10, "Bq"),
    ("R", true, 2.58e-4, "C/kg"),
    ("RAD", true, 100.0, "erg/g"),
    ("REM", true, 1.0, "RAD"),
    ("[in_i]", false, 2.54, "cm"),
    ("[ft_i]", false, 12.0, "[in_i]"),
    ("[yd_i]", false, 3.0, "[ft_i]"),
    ("[mi_i]", false, 5280.0, "[ft_i]"),
    ("[nmi_i]", false, 1852.0, "m"),
    ("[kn_i]", false, 1.0, "[nmi_i]/h"),
    ("[sin_i]", false, 1.0, "[in_i]2"),
    ("[sft_i]", false, 1.0, "[ft_i]2"),
    ("[cin_i]", false, 1.0, "[in_i]3"),
    ("[cft_i]", false, 1.0, "[ft_i]3"),
    ("[gal_us]", false, 231.0, "[in_i]3"),
    ("[qt_us]", false, 1.0, "[gal_us]/4"),
    ("[pt_us]", false, 1.0, "[qt_us]/2"),
    ("[cup_us]", false, 16.0, "[tbs_us]"),
    ("[foz_us]", false, 1.0, "[pt_us]/16"),
    ("[tbs_us]", false, 1.0, "[foz_us]/2"),
    ("[tsp_us]", false, 1.0, "[tbs_us]/3"),
    ("[gr]", false, 64.798_91, "mg"),
    ("[lb_av]", false, 7000.0, "[gr]"),
    ("[oz_av]", false, 1.0, "[lb_av]/16"),
    ("[dr_av]", false, 1.0, "[oz_av]/16"),
    ("[stone_av]", false, 14.0, "[lb_av]"),
    ("m[Hg]", true, 133.322, "kPa"),
    ("m[H2O]", true, 9.80665, "kPa"),
    ("atm", false, 101_325.0, "Pa"),
    ("att", false, 98_066.5, "Pa"),
    ("[psi]", false, 1.0, "[lbf_av]/[in_i]2"),
    ("cal", true, 4.184, "J"),
    ("[Cal]", false, 1.0, "kcal"),
    ("kat", true, 1.0, "mol/s"),
    ("U", true, 1.0, "umol/min"),
    ("eq", true, 1.0, "mol"),
    ("osm", true, 1.0, "mol"),
    ("bit", true, 1.0, "1"),
    ("By", true, 8.0, "bit"),
    ("Ao", false, 0.1, "nm"),
];

/// Units without a fixed size in others: a count of them is compared to a count of the same only.
const ARBITRARY: [&str; 4] = ["[iU]", "[IU]", "[arb'U]", "[CFU]"];

/// What a code stands for; `None` when it is wrong or has a unit that is not known, or that is not a
/// multiple of others, as degrees Celsius are not.
pub(crate) fn parse(code: &str) -> Option<Unit> {
    let mut parser = Parser { rest: code };
    let unit = parser.term(0)?;
    (parser.rest.is_empty() && unit.factor.is_finite() && unit.factor > 0.0).then_some(unit)
}

/// Whether the code is of UCUM's grammar, as far as that is known here.
pub(crate) fn is_known(code: &str) -> bool {
    parse(code).is_some() || matches!(code, "Cel" | "[degF]" | "[pH]" | "B") || is_arbitrary(code)
}

fn is_arbitrary(code: &str) -> bool {
    ARBITRARY.iter().any(|unit| code.ends_with(unit))
}

struct Parser<'c> {
    rest: &'c str,
}

impl Parser<'_> {
    fn take(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn term(&mut self, depth: usize) -> Option<Unit> {
        if depth == MAXIMUM_DEPTH {
            return None;
        }
        let mut unit = if self.take('/') {
            ONE.over(self.component(depth)?)?
        } else {
            self.component(depth)?
        };
        loop {
            if self.take('.') {
                unit = unit.times(self.component(depth)?)?;
            } else if self.take('/') {
                unit = unit.over(self.component(depth)?)?;
            } else {
                return Some(unit);
            }
        }
    }

    fn component(&mut self, depth: usize) -> Option<Unit> {
        let unit = if self.take('(') {
            let unit = self.term(depth + 1)?;
            self.take(')').then_some(unit)?
        } else if self.rest.starts_with('{') {
            ONE
        } else {
            self.simple(depth)?
        };
        if self.take('{') {
            let (_, rest) = self.rest.split_once('}')?;
            self.rest = rest;
        }
        Some(unit)
    }

    /// A number, or an atom with its prefix and exponent.
    fn simple(&mut self, depth: usize) -> Option<Unit> {
        let power_of_ten = self.rest.starts_with("10*") || self.rest.starts_with("10^");
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && !power_of_ten {
            let (number, rest) = self.rest.split_at_checked(digits)?;
            self.rest = rest;
            return Some(Unit {
                factor: number.parse().ok()?,
                ..ONE
            });
        }
        let end = self.end_of_atom();
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let atom = atom(text, depth)?;
        let negative = self.take('-');
        if !negative {
            self.take('+');
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return (!negative).then_some(atom);
        }
        let (exponent, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        let exponent: i8 = exponent.parse().ok()?;
        atom.power(if negative { -exponent } else { exponent })
    }

    /// Digits belong to an atom in brackets and in `10*` only.
    fn end_of_atom(&self) -> usize {
        if self.rest.starts_with("10*") || self.rest.starts_with("10^") {
            return 3;
        }
        let mut in_brackets = false;
        for (at, character) in self.rest.char_indices() {
            match character {
                '[' => in_brackets = true,
                ']' => in_brackets = false,
                '.' | '/' | '(' | ')' | '{' | '+' | '-' | '0'..='9' if !in_brackets => return at,
                _ => {}
            }
        }
        self.rest.len()
    }
}

fn atom(text: &str, depth: usize) -> Option<Unit> {
    if let Some(unit) = named(text, depth) {
        return Some(unit.0);
    }
    PREFIXES.iter().find_map(|(prefix, factor)| {
        let (unit, metric) = named(text.strip_prefix(prefix)?, depth)?;
        metric.then_some(Unit {
            factor: unit.factor * factor,
            ..unit
        })
    })
}

fn named(text: &str, depth: usize) -> Option<(Unit, bool)> {
    let (_, metric, count, definition) = ATOMS.iter().find(|(code, ..)| *code == text)?;
    let unit = if let Some(base) = definition.strip_prefix('*') {
        let mut unit = ONE;
        *unit.dimension.get_mut(base.parse::<usize>().ok()?)? = 1;
        unit
    } else {
        let mut parser = Parser { rest: definition };
        parser.term(depth + 1)?
    };
    let factor = unit.factor * count;
    Some((Unit { factor, ..unit }, *metric))
}

impl Unit {
    fn combined(self, other: Self, factor: f64, sign: i8) -> Option<Self> {
        let mut dimension = self.dimension;
        for (own, other) in dimension.iter_mut().zip(other.dimension) {
            *own = own.checked_add(other.checked_mul(sign)?)?;
        }
        Some(Self { factor, dimension })
    }

    fn times(self, other: Self) -> Option<Self> {
        self.combined(other, self.factor * other.factor, 1)
    }

    fn over(self, other: Self) -> Option<Self> {
        self.combined(other, self.factor / other.factor, -1)
    }

    fn power(self, exponent: i8) -> Option<Self> {
        let mut dimension = self.dimension;
        for own in &mut dimension {
            *own = own.checked_mul(exponent)?;
        }
        let factor = self.factor.powi(i32::from(exponent));
        Some(Self { factor, dimension })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("kg", "1000.g", true)]
    #[case("mmol/L", "mol/m3", true)]
    #[case("mm[Hg]", "133.322Pa", false)]
    #[case("10*9/L", "10*3/uL", true)]
    #[case("L/min/m2", "L/(min.m2)", true)]
    #[case("/min", "min-1", true)]
    #[case("[lb_av]", "16.[oz_av]", true)]
    #[case("kg{body}", "kg", true)]
    #[case("{tablets}/d", "d-1", true)]
    #[case("wk", "7.d", true)]
    #[case("daar", "10.ar", true)]
    fn the_same_unit_by_other_codes(#[case] left: &str, #[case] right: &str, #[case] same: bool) {
        let left = parse(left);
        assert!(left.is_some());
        let equal = left.zip(parse(right)).is_some_and(|(left, right)| {
            left.dimension == right.dimension && (left.factor / right.factor - 1.0).abs() < 1e-12
        });
        assert_eq!(equal, same);
    }

    #[test]
    fn every_atom_is_defined_and_none_twice() {
        for (code, ..) in ATOMS {
            assert!(named(code, 0).is_some(), "{code}");
            let count = ATOMS.iter().filter(|(other, ..)| *other == code).count();
            assert_eq!(count, 1, "{code}");
        }
    }

    #[rstest]
    #[case("[s]")]
    #[case("kmin")]
    #[case("m[")]
    #[case("g//m")]
    #[case("(g")]
    #[case("")]
    #[case("m99999")]
    #[case("m100.m100")]
    #[case("Cel")]
    fn is_no_multiple_of_others(#[case] code: &str) {
        assert_eq!(parse(code), None);
    }
}
