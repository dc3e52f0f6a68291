//! Columns.

use super::clean;

/// Rows under a heading, one line each whatever is in them, columns as wide as they must be, two blanks between them, none at the end of a line.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let columns = heading.len();
    let heading: Vec<String> = heading.iter().map(|word| (*word).to_owned()).collect();
    let rows = rows.iter().map(|row| row.iter().map(|cell| clean::one_line(cell)).collect());
    let all: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), String::new()]];
        assert_eq!(super::table(&["X", "Y"], &rows), "X    Y\na    bb\nccc\n");
    }
}
