//! The settings of an organization that only the operator changes (contract, appendix A).

use guildhall_jsonapi::spec::{Attribute, flag, integer, number};

/// Every setting with its default.
pub(super) const SETTINGS: [Attribute; 45] = [
    flag("api_auth_redirect")
        .derived()
        .default("true")
        .doc("Whether requests for tokens are redirected to the auth host.")
        .example("true"),
    flag("api_rules_engine")
        .derived()
        .default("false")
        .doc("Whether flex promotions and price list rules are on.")
        .example("false"),
    integer("api_rules_engine_max_conditions_size")
        .derived()
        .default("150")
        .doc("How many conditions a rules payload may have.")
        .example("150"),
    integer("api_rules_engine_max_rules_size")
        .derived()
        .default("15")
        .doc("How many rules a rules payload may have.")
        .example("15"),
    flag("api_new_auth")
        .derived()
        .default("true")
        .doc("Whether only the auth host gives tokens.")
        .example("true"),
    flag("api_purge_single_resource")
        .derived()
        .default("false")
        .doc("Whether a purged list purges its single resources from caches too.")
        .example("false"),
    integer("api_max_regex_length")
        .derived()
        .default("5000")
        .doc("How long a regular expression may be.")
        .example("5000"),
    flag("addresses_avs_check")
        .derived()
        .default("true")
        .doc("Whether payments check the address.")
        .example("true"),
    flag("addresses_phone_required")
        .derived()
        .default("true")
        .doc("Whether an address needs a phone number.")
        .example("true"),
    flag("orders_sales_channel_guest_only")
        .derived()
        .default("true")
        .doc("Whether a sales channel without a customer reaches guest orders only.")
        .example("true"),
    number("orders_min_rebuild_shipments_lapse")
        .derived()
        .default("\"0\"")
        .doc("Seconds, with fractions, between two rebuilds of shipments.")
        .example("0"),
    number("orders_min_refresh_lapse")
        .derived()
        .default("\"0\"")
        .doc("Seconds, with fractions, between two refreshes of an order.")
        .example("0"),
    integer("orders_autorefresh_cutoff_test")
        .derived()
        .default("50")
        .doc("From how many line items on a test order is no longer refreshed by itself.")
        .example("50"),
    integer("orders_autorefresh_cutoff_live")
        .derived()
        .default("500")
        .doc("From how many line items on a live order is no longer refreshed by itself.")
        .example("500"),
    flag("orders_number_editable_test")
        .derived()
        .default("false")
        .doc("Whether the number of a test order can be edited.")
        .example("false"),
    flag("orders_number_editable_live")
        .derived()
        .default("false")
        .doc("Whether the number of a live order can be edited.")
        .example("false"),
    flag("orders_number_as_reference")
        .derived()
        .default("true")
        .doc("Whether payments carry the order number as their reference.")
        .example("true"),
    flag("orders_invalid_coupon_errors")
        .derived()
        .default("true")
        .doc("Whether a wrong coupon code is an error.")
        .example("true"),
    flag("orders_invalid_gift_card_errors")
        .derived()
        .default("true")
        .doc("Whether a wrong gift card code is an error.")
        .example("true"),
    flag("orders_validate_shipping_stock")
        .derived()
        .default("false")
        .doc("Whether stock is checked before an order is placed.")
        .example("false"),
    integer("bundles_max_items_count")
        .derived()
        .default("10")
        .doc("How many items a bundle may have.")
        .example("10"),
    integer("coupons_min_code_length")
        .derived()
        .default("8")
        .doc("How short a coupon code may be.")
        .example("8"),
    integer("coupons_max_code_length")
        .derived()
        .default("40")
        .doc("How long a coupon code may be.")
        .example("40"),
    flag("gift_cards_exact_code_matching")
        .derived()
        .default("false")
        .doc("Whether a gift card is matched by its whole code.")
        .example("false"),
    integer("gift_cards_min_code_length")
        .derived()
        .default("8")
        .doc("How short a gift card code may be.")
        .example("8"),
    integer("gift_cards_max_code_length")
        .derived()
        .default("40")
        .doc("How long a gift card code may be.")
        .example("40"),
    integer("cleanups_max_concurrent_count")
        .derived()
        .default("10")
        .doc("How many cleanups may run at once.")
        .example("10"),
    integer("exports_max_concurrent_count")
        .derived()
        .default("10")
        .doc("How many exports may run at once.")
        .example("10"),
    integer("imports_max_concurrent_count")
        .derived()
        .default("10")
        .doc("How many imports may run at once.")
        .example("10"),
    flag("imports_purge_cache")
        .derived()
        .default("true")
        .doc("Whether a finished import purges caches.")
        .example("true"),
    flag("imports_skip_errors")
        .derived()
        .default("false")
        .doc("Whether an import goes on when a tenth of it fails.")
        .example("false"),
    integer("inventory_models_max_stock_locations_cutoff")
        .derived()
        .default("10")
        .doc("How high the stock location cutoff may be.")
        .example("10"),
    integer("promotions_max_concurrent_count")
        .derived()
        .default("10")
        .doc("How many promotions may be active at once.")
        .example("10"),
    integer("promotions_max_conditions_size")
        .derived()
        .default("150")
        .doc("How many conditions a promotion may have.")
        .example("150"),
    integer("promotions_max_rules_size")
        .derived()
        .default("15")
        .doc("How many rules a promotion may have.")
        .example("15"),
    integer("price_lists_max_conditions_size")
        .derived()
        .default("150")
        .doc("How many conditions a price list may have.")
        .example("150"),
    integer("price_lists_max_rules_size")
        .derived()
        .default("15")
        .doc("How many rules a price list may have.")
        .example("15"),
    integer("imports_trigger_webhooks")
        .derived()
        .default("0")
        .doc("Whether imports fire webhooks, as a number.")
        .example("0"),
    flag("discount_engines_enabled")
        .derived()
        .default("false")
        .doc("Whether an external discount engine is used.")
        .example("false"),
    flag("discount_engines_errors")
        .derived()
        .default("false")
        .doc("Whether a failing discount engine is an error.")
        .example("false"),
    integer("tags_max_name_length")
        .derived()
        .default("25")
        .doc("How long the name of a tag may be.")
        .example("25"),
    integer("tags_max_allowed_number")
        .derived()
        .default("10")
        .doc("How many tags a resource may have.")
        .example("10"),
    flag("tax_calculators_errors")
        .derived()
        .default("false")
        .doc("Whether a failing tax calculator is an error.")
        .example("false"),
    flag("external_promotions_errors")
        .derived()
        .default("false")
        .doc("Whether a failing external promotion is an error.")
        .example("false"),
    flag("external_prices_errors")
        .derived()
        .default("true")
        .doc("Whether a failing external price is an error.")
        .example("true"),
];
