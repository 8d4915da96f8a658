//! What was wrong with a request, and where: the error objects of a JSON:API answer.

use serde_json::{Map, Value as Json, json};

/// The result of reading or writing resources.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was refused, or why it could not be carried out.
#[derive(Debug)]
pub enum Error {
    /// The caller is told every one of these.
    Refused(Vec<Problem>),
    /// The caller is told nothing but that it failed.
    Store(guildhall_store::Error),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(vec![problem])
    }
}

impl From<guildhall_store::Error> for Error {
    fn from(error: guildhall_store::Error) -> Self {
        Self::Store(error)
    }
}

/// One thing that was wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The HTTP status it asks for.
    pub status: u16,
    /// Its name for machines, in capitals.
    pub code: &'static str,
    /// Its kind in a few words.
    pub title: String,
    /// This very case.
    pub detail: String,
    /// The member of the sent document it is about.
    pub pointer: Option<String>,
    /// For validations: the rule's name, the value sent and the bound.
    pub meta: Option<Map<String, Json>>,
}

impl Problem {
    /// A problem without a place in the document.
    pub fn new(status: u16, code: &'static str, title: &str, detail: impl Into<String>) -> Self {
        Self { status, code, title: title.to_owned(), detail: detail.into(), pointer: None, meta: None }
    }

    /// 400: the document or query cannot be read at all.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(400, "BAD_REQUEST", "Bad Request", detail)
    }

    /// 400: a member that this operation does not take.
    pub fn param_not_allowed(name: &str) -> Self {
        Self::new(400, "PARAM_NOT_ALLOWED", "Param not allowed", format!("{name} is not allowed."))
    }

    /// 400: a member that this operation cannot do without.
    pub fn param_missing(name: &str) -> Self {
        let detail = format!("The required parameter, {name}, is missing.");
        Self::new(400, "PARAM_MISSING", "Missing Parameter", detail)
    }

    /// 400: a resource of another type than the place asks for.
    pub fn type_mismatch(kind: &str) -> Self {
        let detail = format!("{kind} is not a valid type for this operation.");
        Self::new(400, "TYPE_MISMATCH", "Type Mismatch", detail)
    }

    /// 400: something that must be an object is not.
    pub fn invalid_data_format() -> Self {
        Self::new(400, "INVALID_DATA_FORMAT", "Invalid data format", "Data must be a hash.")
    }

    /// 400: a relationship that is no linkage.
    pub fn invalid_links_object() -> Self {
        let detail = "Data is not a valid Links Object.";
        Self::new(400, "INVALID_LINKS_OBJECT", "Invalid Links Object", detail)
    }

    /// 400: the id in the body is not the one in the URL.
    pub fn key_not_in_url(id: &str) -> Self {
        let detail = format!("The URL does not support the key {id}");
        Self::new(400, "KEY_NOT_INCLUDED_IN_URL", "Key is not included in URL", detail)
    }

    /// 404: no such thing, or nothing the caller may know of.
    pub fn not_found() -> Self {
        let detail = "The requested resource was not found. Please double-check the resource id.";
        Self::new(404, "RECORD_NOT_FOUND", "Record not found", detail)
    }

    /// 401: the caller may see it but not do this to it.
    pub fn forbidden() -> Self {
        let detail = "You are not authorized to perform this action on the requested resource.";
        Self::new(401, "UNAUTHORIZED", "Access denied", detail)
    }

    /// 423: it cannot be deleted as it stands.
    pub fn locked(detail: &str) -> Self {
        Self::new(423, "LOCKED", "Locked resource", detail)
    }

    /// 429, and after how many seconds to come back.
    pub fn too_many(detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(429, "TOO_MANY_REQUESTS", "Too many requests", detail).with("retry_after", json!(seconds))
    }

    /// After how many seconds it makes sense to come back, if that is known.
    pub fn retry_after(&self) -> Option<u64> {
        self.meta.as_ref()?.get("retry_after")?.as_u64()
    }

    /// 409: a race for a unique value was lost.
    pub fn not_unique() -> Self {
        let detail = "Another record with the same value was just written.";
        Self::new(409, "RECORD_NOT_UNIQUE", "Record not unique", detail)
    }

    /// 422 on an attribute: `rule` is the machine name, `message` what a person reads.
    pub fn attribute(name: &str, rule: &str, message: &str) -> Self {
        Self::validation(&format!("/data/attributes/{name}"), name, rule, message)
    }

    /// 422 on a relationship.
    pub fn relationship(name: &str, rule: &str, message: &str) -> Self {
        Self::validation(&format!("/data/relationships/{name}"), name, rule, message)
    }

    /// 422 on the whole document.
    pub fn document(rule: &str, message: &str) -> Self {
        Self { detail: message.to_owned(), ..Self::validation("/data", "", rule, message) }
    }

    fn validation(pointer: &str, name: &str, rule: &str, message: &str) -> Self {
        let mut meta = Map::new();
        meta.insert("error".to_owned(), json!(rule));
        Self {
            pointer: Some(pointer.to_owned()),
            meta: Some(meta),
            ..Self::new(422, "VALIDATION_ERROR", message, format!("{name} - {message}"))
        }
    }

    /// A required attribute that is missing, null or empty.
    pub fn blank(name: &str) -> Self {
        Self::attribute(name, "blank", "can't be blank")
    }

    /// A related record that is missing, or that the caller cannot see: the two must look alike.
    pub fn blank_relationship(name: &str) -> Self {
        Self::relationship(name, "blank", "can't be blank")
    }

    /// A value that another record has.
    pub fn taken(name: &str, value: &str) -> Self {
        Self::attribute(name, "taken", "has already been taken").value(value)
    }

    /// A value of the wrong form.
    pub fn invalid(name: &str, value: impl Into<Json>) -> Self {
        Self::attribute(name, "invalid", "is invalid").value(value)
    }

    /// A value outside the closed list.
    pub fn inclusion(name: &str, value: impl Into<Json>) -> Self {
        Self::attribute(name, "inclusion", "is not included in the list").value(value)
    }

    /// Adds the value that was sent.
    #[must_use]
    pub fn value(self, value: impl Into<Json>) -> Self {
        self.with("value", value.into())
    }

    /// Adds the bound that was passed.
    #[must_use]
    pub fn count(self, count: impl Into<Json>) -> Self {
        self.with("count", count.into())
    }

    /// The member it is about and the name of the rule, for whoever shows it beside the field of a form.
    pub fn field(&self) -> (String, String) {
        let name = self.pointer.as_deref().and_then(|pointer| pointer.rsplit('/').next()).unwrap_or_default();
        let rule = self.meta.as_ref().and_then(|meta| meta.get("error")).and_then(Json::as_str);
        (name.to_owned(), rule.unwrap_or_default().to_owned())
    }

    fn with(mut self, name: &str, value: Json) -> Self {
        self.meta.get_or_insert_default().insert(name.to_owned(), value);
        self
    }

    fn to_json(&self) -> Json {
        let mut object = json!({ "title": self.title, "detail": self.detail, "code": self.code });
        if let Some(pointer) = &self.pointer {
            object["source"] = json!({ "pointer": pointer });
        }
        object["status"] = json!(self.status.to_string());
        if let Some(meta) = &self.meta {
            object["meta"] = Json::Object(meta.clone());
        }
        object
    }

    /// The error document for these problems.
    pub fn render(problems: &[Problem]) -> String {
        json!({ "errors": problems.iter().map(Self::to_json).collect::<Vec<_>>() }).to_string()
    }
}
