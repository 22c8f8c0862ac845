//! Failures where Vertex AI has other words than the Gemini API.

use serde_json::json;

use crate::{
    dialect::Failure,
    gemini::{Status, status as gemini},
};

const LIMITED: &str = "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.";

pub(super) fn status(failure: &Failure) -> Status {
    let service = json!({"service": "aiplatform.googleapis.com"});
    match failure {
        Failure::NoKey => Status::new(
            401,
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        )
        .with(
            "ErrorInfo",
            json!({"reason": "CREDENTIALS_MISSING", "domain": "googleapis.com", "metadata": service}),
        ),
        Failure::WrongKey(_) => Status::new(
            401,
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        )
        .with(
            "ErrorInfo",
            json!({"reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED", "domain": "googleapis.com", "metadata": service}),
        ),
        Failure::NoModel(model) => Status::new(
            404,
            format!(
                "Publisher Model `{model}` was not found or your project does not have access to it. Please ensure you are using a valid model version. For more information, see: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
            ),
        ),
        // When to come again is not said, even where it is known.
        Failure::RateLimited(_) => Status::new(429, LIMITED),
        Failure::InsufficientQuota => Status::new(
            403,
            "This API method requires billing to be enabled. Please enable billing on project #simulated by visiting https://console.developers.google.com/billing/enable?project=simulated then retry.",
        )
        .with(
            "ErrorInfo",
            json!({"reason": "BILLING_DISABLED", "domain": "googleapis.com", "metadata": service}),
        ),
        other => gemini(other),
    }
}
