//! `<function name="…">` around `<param name="…">`: MiniCPM 5.

use serde_json::Map;

use crate::postprocess::answer::{
    ToolCall,
    cursor::{Cursor, Step},
    format::{Format, Found, Mark, Scene, THINK},
};

pub(super) const FORMAT: Format = Format {
    name: "minicpm5",
    templates: &[&["<function name="]],
    reasoning: &[THINK],
    marks: &[Mark::anywhere("<function name=\"", call)],
    ..Format::NONE
};

fn call(cursor: &mut Cursor<'_>, scene: &Scene<'_>) -> Step<Found> {
    let name = cursor.name()?.to_owned();
    cursor.expect("\">")?;
    let mut arguments = Map::new();
    while cursor.takes_behind_space("<param name=\"")? {
        let key = cursor.name()?.to_owned();
        cursor.expect("\">")?;
        // Between these marks a text may have any other.
        let close = if cursor.takes("<![CDATA[")? { "]]></param>" } else { "</param>" };
        let (value, _) = cursor.until(&[close])?;
        cursor.expect(close)?;
        arguments.insert(key.clone(), scene.tools.typed(value, &name, &key));
    }
    let _ = cursor.takes_behind_space("</function>")?;
    Ok(Found::Calls(vec![ToolCall { id: None, name, arguments }]))
}
