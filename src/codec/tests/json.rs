//! Parser of just enough JSON to read `__test__/fixtures/responses.json`, which JavaScript's tests read too.

/// JSON value; the fixture has no other kinds.
#[derive(Debug)]
pub enum Json {
    Text(String),
    Number(usize),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub fn parse(text: &str) -> Json {
        let mut reader = Reader { rest: text };
        let value = reader.value();
        assert_eq!(reader.rest.trim(), "", "something after the value");
        value
    }

    pub fn text(&self) -> &str {
        match self {
            Json::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    pub fn list(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            other => panic!("no list: {other:?}"),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            other => panic!("no object: {other:?}"),
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn value(&mut self) -> Json {
        match self.peek() {
            '"' => Json::Text(self.text()),
            '[' => Json::List(self.members('[', ']', Self::value)),
            '{' => Json::Object(self.members('{', '}', |reader| {
                let name = reader.text();
                reader.expect(':');
                (name, reader.value())
            })),
            _ => Json::Number(self.number()),
        }
    }

    fn peek(&mut self) -> char {
        self.rest = self.rest.trim_start();
        self.rest.chars().next().expect("a value")
    }

    fn expect(&mut self, expected: char) {
        assert_eq!(self.peek(), expected);
        self.rest = &self.rest[1..];
    }

    fn members<T>(&mut self, open: char, close: char, member: impl Fn(&mut Self) -> T) -> Vec<T> {
        let mut members = Vec::new();
        self.expect(open);
        while self.peek() != close {
            if !members.is_empty() {
                self.expect(',');
            }
            members.push(member(self));
        }
        self.expect(close);
        members
    }

    fn number(&mut self) -> usize {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.parse().expect("a number")
    }

    fn text(&mut self) -> String {
        self.expect('"');
        let mut text = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next().expect("the end of a string") {
                '"' => break,
                '\\' => text.push(match chars.next().expect("an escape") {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'u' => {
                        let digits: String = chars.by_ref().take(4).collect();
                        let code = u32::from_str_radix(&digits, 16).expect("four digits");
                        char::from_u32(code).expect("a character")
                    }
                    other => other,
                }),
                other => text.push(other),
            }
        }
        self.rest = chars.as_str();
        text
    }
}
