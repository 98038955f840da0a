//! `lipsum`: text without a meaning, drawn at random.

use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::Value;

const WORDS: &str = "a ac accumsan ad adipiscing aliquam aliquet amet ante arcu at auctor bibendum blandit commodo congue consectetuer conubia \
    convallis cras cubilia cum curae cursus dapibus diam dictum dignissim dis dolor donec dui duis egestas eget eleifend elementum elit enim \
    erat eros est et etiam eu facilisi fames faucibus felis fermentum fringilla fusce gravida habitant hac hendrerit iaculis id imperdiet in \
    inceptos interdum ipsum justo lacinia lacus laoreet lectus leo libero ligula lorem luctus magna massa mattis mauris metus mi mollis montes \
    morbi mus nam nec neque nibh nisi nisl non nulla nunc odio orci ornare parturient pede per pharetra placerat porta posuere potenti pretium \
    primis purus quam quis rhoncus ridiculus risus sagittis sapien sed sem semper senectus sit sociis sodales sollicitudin tellus tempor \
    tincidunt tortor tristique turpis ultrices urna ut varius vehicula vel velit vestibulum vitae vivamus viverra volutpat";

/// `lipsum(n=5, html=True, min=20, max=100)`
pub(crate) fn lipsum(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("generate_lorem_ipsum", ["n", "html", "min", "max"], 0)?;
    let (count, html) = (bound.integer(0, 5)?, bound.truth(1, true)?);
    let (least, most) = (bound.integer(2, 20)?, bound.integer(3, 100)?);
    if least >= most {
        return Err(Error::value_error(format!("empty range for randrange() ({least}, {most}, {})", most.saturating_sub(least))));
    }
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut paragraphs = Vec::new();
    for _ in 0..count {
        let length = least.saturating_add(machine.random(most.saturating_sub(least).unsigned_abs()) as i64);
        let mut paragraph = String::new();
        for index in 0..length {
            machine.budget.make(16)?;
            let word = words[machine.random(words.len() as u64) as usize];
            let sentence = index % 12 == 0;
            if index > 0 {
                paragraph.push_str(if sentence { ". " } else { " " });
            }
            let first = if sentence { word[..1].to_uppercase() } else { word[..1].to_owned() };
            paragraph.push_str(&first);
            paragraph.push_str(&word[1..]);
        }
        paragraph.push('.');
        paragraphs.push(if html { format!("<p>{paragraph}</p>") } else { paragraph });
    }
    let text = paragraphs.join(if html { "\n" } else { "\n\n" });
    Ok(Value::text(text, html))
}
