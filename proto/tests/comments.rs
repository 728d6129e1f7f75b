//! Everything in the contract says what it is: whoever writes a client reads the .proto files and nothing else.

use kaliun_proto::DESCRIPTORS;
use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use std::collections::BTreeMap;

/// Numbers of fields in descriptor.proto, of which the path to a declaration is made.
mod number {
    pub(super) const FILE_MESSAGE: i32 = 4;
    pub(super) const FILE_ENUM: i32 = 5;
    pub(super) const FILE_SERVICE: i32 = 6;
    pub(super) const MESSAGE_FIELD: i32 = 2;
    pub(super) const MESSAGE_NESTED: i32 = 3;
    pub(super) const MESSAGE_ENUM: i32 = 4;
    pub(super) const MESSAGE_ONEOF: i32 = 8;
    pub(super) const ENUM_VALUE: i32 = 2;
    pub(super) const SERVICE_METHOD: i32 = 2;
}

/// What a name ends with, and the word that its comment then needs.
const UNITS: [(&str, &str); 2] = [("_ms", "milliseconds"), ("_seconds", "seconds")];

/// A declaration, and where its comment would be.
struct Declared {
    name: String,
    path: Vec<i32>,
    is_field: bool,
}

/// All declarations of a file, in no order.
#[derive(Default)]
struct Declarations(Vec<Declared>);

impl Declarations {
    fn of(file: &FileDescriptorProto) -> Self {
        let mut all = Self::default();
        for (index, message) in (0..).zip(&file.message_type) {
            all.message(message, file.package(), &[number::FILE_MESSAGE, index]);
        }
        for (index, declared) in (0..).zip(&file.enum_type) {
            all.enumeration(declared, file.package(), &[number::FILE_ENUM, index]);
        }
        for (index, service) in (0..).zip(&file.service) {
            let path = [number::FILE_SERVICE, index];
            let name = all.add(file.package(), service.name(), &path, false);
            for (index, method) in (0..).zip(&service.method) {
                all.add(&name, method.name(), &below(&path, number::SERVICE_METHOD, index), false);
            }
        }
        all
    }

    fn add(&mut self, parent: &str, name: &str, path: &[i32], is_field: bool) -> String {
        let name = format!("{parent}.{name}");
        self.0.push(Declared { name: name.clone(), path: path.to_vec(), is_field });
        name
    }

    fn message(&mut self, message: &DescriptorProto, parent: &str, path: &[i32]) {
        let name = self.add(parent, message.name(), path, false);
        for (index, field) in (0..).zip(&message.field) {
            self.add(&name, field.name(), &below(path, number::MESSAGE_FIELD, index), true);
        }
        for (index, oneof) in (0..).zip(&message.oneof_decl) {
            // An optional field is inside a oneof that nobody wrote.
            let is_written =
                message.field.iter().any(|field| field.oneof_index == Some(index) && !field.proto3_optional());
            if is_written {
                self.add(&name, oneof.name(), &below(path, number::MESSAGE_ONEOF, index), false);
            }
        }
        for (index, nested) in (0..).zip(&message.nested_type) {
            // A map is a message that nobody wrote.
            if !nested.options.as_ref().is_some_and(|options| options.map_entry()) {
                self.message(nested, &name, &below(path, number::MESSAGE_NESTED, index));
            }
        }
        for (index, declared) in (0..).zip(&message.enum_type) {
            self.enumeration(declared, &name, &below(path, number::MESSAGE_ENUM, index));
        }
    }

    fn enumeration(&mut self, declared: &EnumDescriptorProto, parent: &str, path: &[i32]) {
        let name = self.add(parent, declared.name(), path, false);
        for (index, value) in (0..).zip(&declared.value) {
            self.add(&name, value.name(), &below(path, number::ENUM_VALUE, index), false);
        }
    }
}

fn below(path: &[i32], field: i32, index: i32) -> Vec<i32> {
    [path, &[field, index]].concat()
}

/// What is missing from a file's comments, one line each.
fn missing(file: &FileDescriptorProto) -> Vec<String> {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let comments: BTreeMap<&[i32], String> = locations
        .map(|location| {
            let comment = format!("{} {}", location.leading_comments(), location.trailing_comments());
            (location.path.as_slice(), comment.trim().to_lowercase())
        })
        .collect();
    let judge = |declared: Declared| {
        let comment = comments.get(declared.path.as_slice()).map_or("", String::as_str);
        if comment.is_empty() {
            return Some(format!("{} has no comment", declared.name));
        }
        let unit = UNITS.iter().find(|(end, _)| declared.is_field && declared.name.ends_with(end));
        let (_, word) = unit.filter(|(_, word)| !comment.contains(word))?;
        Some(format!("{} does not say that it is in {word}", declared.name))
    };
    Declarations::of(file).0.into_iter().filter_map(judge).collect()
}

#[test]
fn everything_in_the_contract_has_a_comment() {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let declared: usize = files.iter().map(|file| Declarations::of(file).0.len()).sum();
    assert!(declared > 300, "only {declared} declarations are seen");
    let missing: Vec<String> = files.iter().flat_map(missing).collect();
    assert!(missing.is_empty(), "{} are missing:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn what_is_missing_is_named() {
    let mut file = FileDescriptorSet::decode(DESCRIPTORS)
        .unwrap()
        .file
        .into_iter()
        .find(|file| file.package() == "kaliun.link.v1")
        .unwrap();
    for location in file.source_code_info.iter_mut().flat_map(|info| &mut info.location) {
        location.trailing_comments = None;
        // Of the first message its first field.
        let is_hidden = location.path == [number::FILE_MESSAGE, 0, number::MESSAGE_FIELD, 0];
        location.leading_comments = (!is_hidden).then(|| "Something.".to_owned());
    }
    let missing = missing(&file);
    assert!(missing.contains(&"kaliun.link.v1.DeviceMessage.hello has no comment".to_owned()), "{missing:?}");
    assert!(missing.contains(&"kaliun.link.v1.Hello.now_ms does not say that it is in milliseconds".to_owned()));
    assert!(!missing.iter().any(|line| line.contains("Hello.protocol")), "{missing:?}");
}
