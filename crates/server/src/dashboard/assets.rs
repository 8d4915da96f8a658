//! The style, the script and the icon: under names that change with what is in them, so that a browser may
//! keep them for ever.

use crate::crypto::{hex, sha256};
use crate::http::Answer;
use http::header::CACHE_CONTROL;
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    path: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("guildhall.css", "text/css; charset=utf-8", include_str!("../../assets/guildhall.css")),
        ("guildhall.js", "text/javascript; charset=utf-8", include_str!("../../assets/guildhall.js")),
        ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
    ]
    .into_iter()
    .map(|(name, media_type, content)| {
        let hash = hex(&sha256(content.as_bytes()));
        Asset { name, media_type, content, path: format!("/assets/{}/{name}", &hash[..12]) }
    })
    .collect()
});

/// Where an asset is.
pub(super) fn path(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.path.as_str())
}

/// The asset at a path.
pub(super) fn answer(path: &str) -> Option<Answer> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    let answer = Answer::new(200, asset.media_type, asset.content);
    Some(answer.header(CACHE_CONTROL, "public, max-age=31536000, immutable"))
}
