//! Reading the embedded tables.

/// The rows of a `;`-separated table with `N` columns; lines that start with `#` are comments.
///
/// The tables are compiled in, so a malformed line is a mistake of ours: it is left out here, and
/// a test finds it.
pub(super) fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    lines(table).filter_map(|line| {
        let mut cells = line.split(';');
        let mut row = [""; N];
        for cell in &mut row {
            *cell = cells.next()?;
        }
        cells.next().is_none().then_some(row)
    })
}

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_skipped_and_short_or_long_lines_left_out() {
        let table = "# head\na;b\nc;d;e\nf\n\ng;\n";
        assert_eq!(
            rows(table).collect::<Vec<[&str; 2]>>(),
            [["a", "b"], ["g", ""]]
        );
    }

    #[test]
    fn no_embedded_table_has_a_malformed_line() {
        fn check<const N: usize>(table: &'static str) {
            assert_eq!(rows::<N>(table).count(), lines(table).count());
            assert!(lines(table).count() > 0);
        }
        check::<3>(include_str!("countries.csv"));
        check::<2>(include_str!("icd11.csv"));
        check::<2>(include_str!("eu-vaccines.csv"));
        check::<4>(include_str!("eu-products.csv"));
        check::<2>(include_str!("eu-organisations.csv"));
        check::<4>(include_str!("tests.csv"));
        check::<2>(include_str!("results.csv"));
        check::<2>(include_str!("cvx.csv"));
    }
}
