/* SPDX-License-Identifier: Apache-2.0 */
//! One JSON object a line, as far as answers need it.

/// An object under construction; fields keep their order.
#[derive(Default)]
pub struct Object {
    text: String,
}

impl Object {
    pub fn new() -> Self {
        Self::default()
    }

    fn name(&mut self, name: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(&quoted(name));
        self.text.push(':');
    }

    pub fn number(mut self, name: &str, value: impl Into<i128>) -> Self {
        self.name(name);
        self.text.push_str(&value.into().to_string());
        self
    }

    pub fn truth(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    pub fn string(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.text.push_str(&quoted(value));
        self
    }

    pub fn list(mut self, name: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.name(name);
        let values: Vec<String> = values.into_iter().collect();
        self.text.push('[');
        self.text.push_str(&values.join(","));
        self.text.push(']');
        self
    }

    pub fn done(self) -> String {
        format!("{{{}}}", self.text)
    }
}

pub fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            c if (c as u32) < 0x20 => text.push_str(&format!("\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
