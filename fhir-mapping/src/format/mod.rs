//! The formatter: one layout for every map, which keeps each token and comment.

mod layout;
mod pieces;

use crate::error::MapError;
use crate::language::lexer::without_byte_order_mark;
use crate::language::map_parser::parse_marked;

/// Lays a map in the FHIR Mapping Language out: a line for each rule, two spaces for each block,
/// at most 100 characters where there is a place to break the line. Comments stay where they are,
/// and one empty line where there are several. What the parser tolerates only (a missing `;` or
/// `,`) is mended. Formatting what is formatted changes nothing.
///
/// ```
/// let text = "map 'http://example.org/m' = 'm'
/// group  M( source a,target b ){a.id->b.id /* as it is */}";
/// assert_eq!(
///     fhir_mapping::format(text)?,
///     "map 'http://example.org/m' = 'm'
///
/// group M(source a, target b) {
///   a.id -> b.id; /* as it is */
/// }
/// "
/// );
/// # Ok::<(), fhir_mapping::MapError>(())
/// ```
///
/// # Errors
/// [`MapError::Syntax`], as [`MapLibrary::add_map`](crate::MapLibrary::add_map), but a map without
/// a url is formatted.
pub fn format(text: &str) -> Result<String, MapError> {
    let marked = parse_marked(text).map_err(MapError::Syntax)?;
    let pieces = pieces::pieces(without_byte_order_mark(text), &marked);
    Ok(layout::layout(&pieces))
}
