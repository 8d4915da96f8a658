//! The words in which a resource is declared.
//!
//! A declaration is static data built by `const` functions: what is not said is the common case. An
//! attribute may be sent at creation and on update unless it says `.fixed()` (creation only),
//! `.on_update()` (update only) or `.derived()` (never).

/// A resource.
#[derive(Debug)]
pub struct Spec {
    /// Its JSON:API type, which is also its path and its table.
    pub kind: &'static str,
    /// Its name in the singular, which names its OpenAPI schemas.
    pub singular: &'static str,
    /// One sentence about it.
    pub about: &'static str,
    /// The path under which the caller's own record answers, for a resource that has no collection.
    pub singleton: Option<&'static str>,
    /// The column by whose value the table `sizes` counts its rows, so that a collection knows its
    /// record count without counting; see also [`Attribute::sized`].
    pub sized_by: Option<&'static str>,
    /// Whether the table `milestones` counts its rows by when they were made, as it is sized: see `milestones.rs`.
    pub milestones: bool,
    /// What it says of itself.
    pub attributes: &'static [Attribute],
    /// What it points at and what points at it.
    pub relationships: &'static [Relationship],
    /// Columns that rules read and no document shows.
    pub inner: &'static [Attribute],
}

/// What is so where a declaration says nothing: it ends with `..PLAIN`.
pub const PLAIN: Spec = Spec {
    kind: "",
    singular: "",
    about: "",
    singleton: None,
    sized_by: None,
    milestones: false,
    attributes: &[],
    relationships: &[],
    inner: &[],
};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Text.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number between the two, both included.
    Integer(i64, i64),
    /// A number that may have a fraction; stored as its text.
    Number,
    /// A moment, stored as milliseconds.
    Time,
    /// A JSON object, stored as its text.
    Object,
    /// Text that is encrypted in the database; never filtered, never sorted.
    Secret,
}

/// What form a text must have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// Up to 255 characters, none of them a control character.
    Plain,
    /// An e-mail address.
    Email,
    /// An `http` or `https` URL of up to 2,048 characters.
    Url,
    /// `#` and six hexadecimal digits.
    Color,
    /// A name of the IANA time zone database.
    TimeZone,
    /// Domain names separated by commas.
    Domains,
}

/// When a caller may or must send something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is not accepted.
    Never,
    /// It may be sent.
    Optional,
    /// It must be sent and cannot be empty.
    Required,
}

/// Where an attribute's value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// The column of its name.
    Column,
    /// An SQL expression over the row, in which `{t}` is the row and `{domain}` the installation's domain.
    Sql(&'static str),
    /// Nowhere: it is a trigger that is sent and never shown.
    Trigger,
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the columns of the public field list")]
pub struct Attribute {
    /// Its name on the wire and, unless it has another source, its column.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What form a text must have.
    pub format: Format,
    /// The words a caller may send, where these are fewer than may be read.
    pub within: Option<&'static [&'static str]>,
    /// Whether it is sent at creation.
    pub create: Sent,
    /// Whether it is sent on update.
    pub update: Sent,
    /// Whether the description asks for it at creation although there is a default.
    pub expected: bool,
    /// Whether an empty text is refused.
    pub filled: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it may be filtered by.
    pub filter: bool,
    /// Whether it may be sorted by.
    pub sort: bool,
    /// Where its value comes from.
    pub source: Source,
    /// The column that holds it in lower case, for attributes compared without case.
    pub folded: Option<&'static str>,
    /// Whether the table `sizes` counts the rows with each of its values, too.
    pub sized: bool,
    /// Whether its substrings are looked up in `search_<kind>`, which has it in lower case.
    pub searched: bool,
    /// What a new record has when it is not sent, as JSON.
    pub default: Option<&'static str>,
    /// One sentence about it.
    pub doc: &'static str,
    /// An example, as JSON.
    pub example: &'static str,
}

const fn attribute(name: &'static str, kind: Kind) -> Attribute {
    Attribute {
        name,
        kind,
        format: Format::Plain,
        within: None,
        create: Sent::Optional,
        update: Sent::Optional,
        expected: false,
        filled: false,
        nullable: false,
        filter: false,
        sort: false,
        source: Source::Column,
        folded: None,
        sized: false,
        searched: false,
        default: None,
        doc: "",
        example: "",
    }
}

/// Text.
pub const fn text(name: &'static str) -> Attribute {
    attribute(name, Kind::Text)
}

/// One of a closed list of words.
pub const fn one_of(name: &'static str, words: &'static [&'static str]) -> Attribute {
    attribute(name, Kind::OneOf(words))
}

/// True or false.
pub const fn flag(name: &'static str) -> Attribute {
    attribute(name, Kind::Flag)
}

/// A whole number.
pub const fn integer(name: &'static str) -> Attribute {
    attribute(name, Kind::Integer(i64::MIN, i64::MAX))
}

/// A whole number within bounds, both included.
pub const fn integer_between(name: &'static str, least: i64, most: i64) -> Attribute {
    attribute(name, Kind::Integer(least, most))
}

/// A number that may have a fraction.
pub const fn number(name: &'static str) -> Attribute {
    attribute(name, Kind::Number)
}

/// A moment.
pub const fn time(name: &'static str) -> Attribute {
    attribute(name, Kind::Time)
}

/// A JSON object.
pub const fn object(name: &'static str) -> Attribute {
    attribute(name, Kind::Object)
}

/// Text that is encrypted in the database.
pub const fn secret(name: &'static str) -> Attribute {
    attribute(name, Kind::Secret)
}

/// A write-only switch that does something when it is sent as `true`.
pub const fn trigger(name: &'static str) -> Attribute {
    Attribute { source: Source::Trigger, nullable: true, ..attribute(name, Kind::Flag) }
}

impl Attribute {
    /// It must be sent at creation and can never be empty.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { create: Sent::Required, filled: true, ..self }
    }

    /// The description asks for it at creation; a creation without it gets the default all the same.
    #[must_use]
    pub const fn expected(self) -> Self {
        Self { expected: true, ..self }
    }

    /// It can never be empty.
    #[must_use]
    pub const fn filled(self) -> Self {
        Self { filled: true, ..self }
    }

    /// It is set at creation and never again.
    #[must_use]
    pub const fn fixed(self) -> Self {
        Self { update: Sent::Never, ..self }
    }

    /// It is sent on update only.
    #[must_use]
    pub const fn on_update(self) -> Self {
        Self { create: Sent::Never, ..self }
    }

    /// Nobody sends it.
    #[must_use]
    pub const fn derived(self) -> Self {
        Self { create: Sent::Never, update: Sent::Never, ..self }
    }

    /// It may be null.
    #[must_use]
    pub const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// It may be filtered by.
    #[must_use]
    pub const fn filter(self) -> Self {
        Self { filter: true, ..self }
    }

    /// It may be sorted by.
    #[must_use]
    pub const fn sort(self) -> Self {
        Self { sort: true, ..self }
    }

    /// It must have this form.
    #[must_use]
    pub const fn format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// Only these words may be sent.
    #[must_use]
    pub const fn within(self, words: &'static [&'static str]) -> Self {
        Self { within: Some(words), ..self }
    }

    /// Its value is this SQL expression.
    #[must_use]
    pub const fn from(self, sql: &'static str) -> Self {
        Self { source: Source::Sql(sql), ..self }
    }

    /// It is compared without case, by way of this column.
    #[must_use]
    pub const fn folded(self, column: &'static str) -> Self {
        Self { folded: Some(column), ..self }
    }

    /// The table `sizes` counts the rows with each of its values, too: it has few.
    #[must_use]
    pub const fn sized(self) -> Self {
        Self { sized: true, ..self }
    }

    /// Its substrings are looked up in an index: the table or view `search_<kind>` has the columns `id`, the one the
    /// kind is sized by if it is, and this attribute in lower case.
    #[must_use]
    pub const fn searched(self) -> Self {
        Self { searched: true, ..self }
    }

    /// What a new record has when nothing is sent, as JSON.
    #[must_use]
    pub const fn default(self, json: &'static str) -> Self {
        Self { default: Some(json), ..self }
    }

    /// One sentence about it.
    #[must_use]
    pub const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// An example, as JSON.
    #[must_use]
    pub const fn example(self, json: &'static str) -> Self {
        Self { example: json, ..self }
    }

    /// Whether it is written to a column of its own.
    pub fn is_column(&self) -> bool {
        self.source == Source::Column
    }
}

/// The attributes every resource has.
pub static COMMON: [Attribute; 5] = [
    time("created_at").derived().filter().sort().doc("When it was created.").example(MOMENT),
    time("updated_at").derived().filter().sort().doc("When it last changed.").example(MOMENT),
    text("reference")
        .nullable()
        .filter()
        .sort()
        .doc("An identifier of your own, for instance its key in another system.")
        .example("\"ERP-1042\""),
    text("reference_origin")
        .nullable()
        .filter()
        .sort()
        .doc("The system that the reference comes from.")
        .example("\"erp\""),
    object("metadata")
        .nullable()
        .filter()
        .default("{}")
        .doc("Anything you want to keep with it; a new value replaces the old one whole.")
        .example("{\"team\": \"north\"}"),
];

const MOMENT: &str = "\"2026-01-01T12:00:00.000Z\"";

/// A link between two kinds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of a declaration")]
pub struct Relationship {
    /// Its name on the wire.
    pub name: &'static str,
    /// The kind at the other end.
    pub kind: &'static str,
    /// Whether there can be many at the other end.
    pub many: bool,
    /// The column that holds the link: of this table for one, of the other for many.
    pub column: &'static str,
    /// For links that hold type and id: the other table's column with the type.
    pub kind_column: Option<&'static str>,
    /// Whether it is sent at creation.
    pub create: Sent,
    /// Whether it is sent on update.
    pub update: Sent,
    /// Whether its attributes may be filtered by.
    pub filter: bool,
    /// Whether there are few of those that a caller sees, and many that link to each.
    pub few: bool,
    /// Whether the table `sizes` counts the rows that link to each, too.
    pub sized: bool,
}

/// A link to one record, held in this table's `column`. It is derived until it says otherwise.
pub const fn one(name: &'static str, kind: &'static str, column: &'static str) -> Relationship {
    Relationship {
        name,
        kind,
        many: false,
        column,
        kind_column: None,
        create: Sent::Never,
        update: Sent::Never,
        filter: true,
        few: false,
        sized: false,
    }
}

/// Links from many records, held in the other table's `column`. It is derived until it says otherwise.
pub const fn many(name: &'static str, kind: &'static str, column: &'static str) -> Relationship {
    Relationship { many: true, ..one(name, kind, column) }
}

impl Relationship {
    /// There are few of those that a caller sees, and many that link to each: to filter by them, they are looked up
    /// first.
    #[must_use]
    pub const fn to_few(self) -> Self {
        Self { few: true, ..self }
    }

    /// The table `sizes` counts the rows that link to each, too, and an index yields those in the default order.
    #[must_use]
    pub const fn sized(self) -> Self {
        Self { sized: true, ..self }
    }

    /// It must be sent at creation.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { create: Sent::Required, ..self }
    }

    /// It may be sent at creation.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self { create: Sent::Optional, ..self }
    }

    /// It may be sent on update.
    #[must_use]
    pub const fn updatable(self) -> Self {
        Self { update: Sent::Optional, ..self }
    }

    /// It cannot be filtered by.
    #[must_use]
    pub const fn unfiltered(self) -> Self {
        Self { filter: false, ..self }
    }

    /// The other table's column with the type of what its `column` points at.
    #[must_use]
    pub const fn typed_by(self, column: &'static str) -> Self {
        Self { kind_column: Some(column), ..self }
    }
}

impl Spec {
    /// Its own attributes, then the common ones.
    pub fn all_attributes(&self) -> impl Iterator<Item = &'static Attribute> {
        self.attributes.iter().chain(&COMMON)
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.all_attributes().find(|attribute| attribute.name == name)
    }

    /// The relationship of this name.
    pub fn relationship(&self, name: &str) -> Option<&'static Relationship> {
        self.relationships.iter().find(|relationship| relationship.name == name)
    }

    /// The path segment under which it answers.
    pub fn path(&self) -> &'static str {
        self.singleton.unwrap_or(self.kind)
    }
}
