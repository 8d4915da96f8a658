//! Applications that act for people, as their makers write them: `let shop = Webapp::new(&guild).await;
//! shop.is_let_in_by(&browser).await`.

use crate::browser::Browser;
use crate::guild::{Guild, Organization, Person, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall::crypto::sha256;
use serde_json::{Value as Json, json};

/// Where browsers come back to.
pub(crate) const CALLBACK: &str = "https://app.example.com/callback";
/// What only the application knows.
pub(crate) const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-0123456789";

/// A webapp of an organization, and what it has been given.
pub(crate) struct Webapp<'g> {
    pub(crate) guild: &'g Guild,
    pub(crate) organization: Organization<'g>,
    pub(crate) slug: String,
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// What a request for a token was answered with.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) all: Json,
}

impl Tokens {
    pub(crate) fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let all = reply.json();
        let text = |name: &str| all[name].as_str().unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), all }
    }

    /// What the access token says, unchecked.
    pub(crate) fn claims(&self) -> Json {
        payload(&self.access)
    }
}

/// What a token says, unchecked.
pub(crate) fn payload(token: &str) -> Json {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The hash of what only the application knows.
pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()))
}

/// A query string.
pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// A parameter of an address.
pub(crate) fn parameter(address: &str, name: &str) -> Option<String> {
    let query = address.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(one, _)| one == name).map(|(_, value)| value.into_owned())
}

impl<'g> Webapp<'g> {
    /// Ada's webapp Shop in her organization Blue, and the browser in which she is signed in.
    pub(crate) async fn new(guild: &'g Guild) -> (Self, Browser<'g>) {
        Self::with(guild, json!({})).await
    }

    /// The same with attributes of its own.
    pub(crate) async fn with(guild: &'g Guild, attributes: Json) -> (Self, Browser<'g>) {
        let browser = guild.signed_up("ada").await;
        // The token is dated to the next second.
        guild.pass(1000);
        let ada = guild.with_new_token("ada@example.com").await;
        let organization = ada.creates_organization("Blue").await;
        (Self::of(organization, attributes).await, browser)
    }

    /// A webapp of an organization.
    pub(crate) async fn of(organization: Organization<'g>, more: Json) -> Self {
        let mut attributes = json!({ "name": "Shop", "kind": "webapp", "redirect_uri": CALLBACK });
        attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let relationships = match attributes["kind"].as_str() {
            Some("integration") => json!({ "role": crate::guild::link("roles", &organization.admin) }),
            _ => json!({}),
        };
        let id = organization.makes("api_credentials", attributes, relationships).await;
        Self::existing(&organization, &id).await
    }

    /// A credential that an organization has.
    pub(crate) async fn existing(organization: &Organization<'g>, id: &str) -> Self {
        let owner = &organization.owner;
        let shown = owner.get(&format!("/api/api_credentials/{id}")).await;
        let slug = owner.get(&format!("/api/organizations/{}", organization.id)).await.attribute("slug");
        let text = |name: &str| shown.attribute(name).as_str().unwrap().to_owned();
        Self {
            guild: owner.guild(),
            slug: slug.as_str().unwrap().to_owned(),
            client_id: text("client_id"),
            client_secret: text("client_secret"),
            id: id.to_owned(),
            organization: organization.clone(),
        }
    }

    /// The path to which it sends browsers, with further parameters. An empty one is left out.
    pub(crate) fn asks(&self, more: &[(&str, &str)]) -> String {
        let challenge = challenge();
        let mut all: Vec<(&str, &str)> = vec![
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", CALLBACK),
            ("state", "a state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        all.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        all.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        format!("/oauth/authorize?{}", query(&all))
    }

    /// Somebody looks at the page and agrees; answers the address they are sent to.
    pub(crate) async fn is_agreed_to(&self, browser: &Browser<'_>, more: &[(&str, &str)]) -> String {
        let path = self.asks(more);
        let page = browser.open(&path).await;
        if page.status == 303 {
            return page.path;
        }
        assert!(page.heading().starts_with("Shop wants to "), "{}", page.text());
        browser.send(&path, &[("decision", "allow")]).await.path
    }

    /// The same; answers the code.
    pub(crate) async fn code(&self, browser: &Browser<'_>, more: &[(&str, &str)]) -> String {
        let address = self.is_agreed_to(browser, more).await;
        parameter(&address, "code").unwrap_or_else(|| panic!("no code in {address}"))
    }

    /// Asks for a token as itself.
    pub(crate) async fn asks_for_token(&self, more: Json) -> Reply {
        let mut body = json!({ "client_id": self.client_id, "client_secret": self.client_secret });
        let body_map = body.as_object_mut().unwrap();
        body_map.extend(more.as_object().unwrap().clone());
        body_map.retain(|_, value| !value.is_null());
        self.guild.nobody().post("/oauth/token", body).await
    }

    /// Redeems a code.
    pub(crate) async fn redeems(&self, code: &str) -> Reply {
        self.asks_for_token(json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
        }))
        .await
    }

    /// Refreshes.
    pub(crate) async fn refreshes(&self, token: &str) -> Reply {
        self.asks_for_token(json!({ "grant_type": "refresh_token", "refresh_token": token })).await
    }

    /// The whole flow.
    pub(crate) async fn is_let_in_by(&self, browser: &Browser<'_>) -> Tokens {
        self.is_let_in_for(browser, "market:all").await
    }

    /// The whole flow for a scope.
    pub(crate) async fn is_let_in_for(&self, browser: &Browser<'_>, scope: &str) -> Tokens {
        let code = self.code(browser, &[("scope", scope)]).await;
        Tokens::of(&self.redeems(&code).await)
    }

    /// Asks the organization's own host with a token.
    pub(crate) async fn visits(&self, token: &str, path: &str) -> Reply {
        let somebody = self.guild.bearer(token);
        somebody.at(&format!("{}.example.test", self.slug), path).await
    }

    /// Whether a token opens the organization's own host.
    pub(crate) async fn is_open_to(&self, token: &str) -> bool {
        match self.visits(token, "/api/organization").await {
            reply if reply.status == 200 => true,
            reply => {
                assert_eq!(
                    reply.problems(),
                    ["401 INVALID_TOKEN: The access token you provided is invalid."]
                );
                false
            }
        }
    }
}

impl Person<'_> {
    /// Asks another host.
    pub(crate) async fn at(&self, host: &str, path: &str) -> Reply {
        self.ask(self.request("GET", path).header("host", host).body(axum::body::Body::empty()).unwrap())
            .await
    }
}

/// The name of a refusal by the Auth API.
pub(crate) fn refusal(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"].as_str().unwrap_or_default().to_owned())
}

/// What that is for a grant that is not good.
pub(crate) fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}
