//! Forms: `multipart/form-data`, the way files are uploaded. <https://www.rfc-editor.org/rfc/rfc7578>

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use multer::Multipart;

use crate::{
    chat,
    dialect::{Call, Failure},
    model::Model,
};

/// The parts of a form, in order.
#[derive(Debug, Default)]
pub(crate) struct Form(Vec<Part>);

/// One part of a form.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    /// The name of the file; other parts have none.
    pub(crate) file: Option<String>,
    pub(crate) body: Bytes,
}

impl Form {
    /// The first file called so.
    pub(crate) fn file(&self, name: &str) -> Option<&Part> {
        self.files(name).next()
    }

    /// The files called so, or so with `[]`.
    pub(crate) fn files(&self, name: &str) -> impl Iterator<Item = &Part> {
        self.parts(name).filter(|part| part.file.is_some())
    }

    /// The text of the first part called so, where it says something.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// The texts of the parts called so, or so with `[]`.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let parts = self.parts(name).filter(|part| part.file.is_none());
        parts.filter_map(|part| std::str::from_utf8(&part.body).ok()).filter(|text| !text.is_empty())
    }

    /// The names of all parts, as they are written.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|part| part.name.as_str())
    }

    fn parts(&self, name: &str) -> impl Iterator<Item = &Part> {
        self.0.iter().filter(move |part| part.name.strip_suffix("[]").unwrap_or(&part.name) == name)
    }
}

/// Checks headers, form and model: the form, and the model asked for in the path or in it, or else `usual`.
pub(crate) fn read(call: &Call<'_>, usual: Option<&str>) -> Result<(Form, Model), Failure> {
    call.dialect.admit(call)?;
    let kind = call.header("content-type").unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| {
        let message =
            format!("Unsupported content type: '{kind}'. This method only accepts 'multipart/form-data' requests.");
        Failure::invalid(message, None, Some("unsupported_content_type"))
    })?;
    // All of it is here already, so that nothing has to be waited for.
    let form = parse(call.body.clone(), boundary).now_or_never();
    let Some(Ok(form)) = form else {
        return Err(Failure::invalid("Could not parse multipart form", None, None));
    };
    let model = chat::named(call, call.model.as_deref().or(form.text("model")).or(usual))?;
    Ok((form, model))
}

async fn parse(body: Bytes, boundary: String) -> multer::Result<Form> {
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut parts = Multipart::new(body, boundary);
    let mut form = Form::default();
    while let Some(part) = parts.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        let file = part.file_name().map(str::to_owned);
        form.0.push(Part { name, file, body: part.bytes().await? });
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Option<Form> {
        parse(Bytes::from(text.replace('\n', "\r\n")), "x".into()).now_or_never().unwrap().ok()
    }

    #[test]
    fn a_form_has_texts_and_files() {
        let text = "--x\nContent-Disposition: form-data; name=\"model\"\n\nm\n--x\nContent-Disposition: form-data; name=\"image[]\"; filename=\"a b.png\"\nContent-Type: image/png\n\n\0\u{1}--x\n\n--x--\n";
        let form = form(text).unwrap();
        assert_eq!((form.text("model"), form.text("image")), (Some("m"), None));
        let file = form.file("image").unwrap();
        assert_eq!((file.file.as_deref(), &file.body[..]), (Some("a b.png"), &b"\0\x01--x\r\n"[..]));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        assert!(form("{}").is_none());
        assert!(form("--x\nContent-Disposition: form-data; name=\"model\"\n\nm").is_none());
    }
}
