"""Turn codes and numbers into sentences, in the reader's language.

The English sentences below, those of `say(...)` in code and templates, and the texts in `data/` are the message ids of
one Babel catalog a language, `advisor/translations/<locale>/LC_MESSAGES/messages.po`; English itself needs none.
Placeholders are named. `make messages` brings the catalogs up to date.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from babel.support import NullTranslations, Translations

from advisor.errors import Sentence

TRANSLATIONS = Path(__file__).parent / "translations"
CATALOG = "LC_MESSAGES/messages.po"
DEFAULT_LOCALE = "en"

BARS = {
    "below": "below {value}",
    "at_most": "at most {value}",
    "at_least": "at least {value}",
    "above": "above {value}",
    "equals": "{value}",
}

REASONS = {
    "meets_threshold": "{label}: {observed}. The bar is {bar}. It is met.",
    "misses_threshold": "{label}: {observed}. The bar is {bar}. It is missed.",
    "components_meet_threshold": "{label} is not given, but even the sum of its components is within the bar, {bar}. It is met.",
    "components_miss_threshold": "{label} is not given, but its largest component alone is beyond the bar, {bar}. It is missed.",
    "components_inconclusive": "{label} is not given. Its components allow both answers to the bar, {bar}: an order with several defects counts once. Give the rate itself.",
    "component_missing": "{label} is not given, and not all of its components are. Give the rate itself, or all components.",
    "components_not_comparable": "{label} is not given, and its components are counts of different numbers of orders. Give the rate itself, or components of one number of orders.",
    "contradictory": "{label}: {observed}, which its components contradict: it lies between the largest of them and their sum. Check the numbers.",
    "not_provided": "{label}: not given, so the bar, {bar}, cannot be checked.",
    "no_activity": "{label} cannot be measured: there was no activity in the window. That is neither met nor missed.",
    "no_published_threshold": "{label}: shown only, because nobody publishes a number for it.",
    "other_fulfillment_channel": "{label}: about orders of a fulfillment channel that this account does not use.",
    "below_minimum_volume": "{label}: judged only from {minimum} {unit} on. Counted: {of}.",
}

FACT_REASONS = {
    "meets_threshold": "{label}: {observed}. It has to be {bar}, so it is met.",
    "misses_threshold": "{label}: {observed}. It has to be {bar}, so it is missed.",
    "not_provided": "{label}: not given. It has to be {bar}.",
    "other_fulfillment_channel": "{label} is asked for orders of a fulfillment channel that this account does not use.",
}

WARNINGS = {
    "not_covered": "No fee rule covers this marketplace, category, channel and date, so nothing is calculated.",
    "closing_fee_unknown": "A closing fee exists here, but nobody publishes its amount. It is left out of the sum.",
    "closing_fee_depends_on_channel": "The closing fee depends on how orders are shipped. Choose a fulfillment channel that names it.",
    "selling_plan_unknown": "The fee per item depends on the selling plan, which is not given. It is left out of the sum.",
    "per_item_fee_unknown": "The fee per item of this selling plan is not published for this date. It is left out of the sum.",
    "established_in_unknown": "The digital services fee depends on the country the seller is established in, which is not given. It is left out of the sum.",
    "digital_services_fee_unknown": "The digital services fee of this store is not published for this date. It is left out of the sum.",
    "digital_services_fee_on_fulfillment_not_included": "The digital services fee is also taken on Amazon's fulfillment fees; that part belongs to your fulfillment cost.",
    "refund_administration_fee_unknown": "What is kept on a refund is not published here. It is left out of the sum.",
    "tax_not_deducted": "The price includes tax, and no tax rate is given: the net proceeds still hold the tax.",
    "fulfillment_fee_not_included": "Amazon's fulfillment fee is not included, because no fulfillment cost is given.",
    "business_order_rule_unknown": "A reduction for business orders may exist here, but its figures are not published: the standard fee is shown.",
    "cited_share_used": "No scenario is given: the published share of B2B sales stands in for one.",
    "current_monthly_units_unknown": "Without a scenario, the current monthly units are needed.",
    "unit_cost_unknown": "No unit cost is given, so the contribution is unknown.",
}

ADVICE_REASONS = {
    "not_eligible": "The account misses a required criterion. Put that right first.",
    "verdict_undetermined": "A required criterion is unknown, so it is open whether the account qualifies.",
    "verdict_not_covered": "No rule covers this marketplace and date.",
    "no_lines": "Without a product there is nothing to weigh.",
    "fee_not_covered": "The fees of at least one product are not covered.",
    "fee_unknown": "At least one fee is not published, or depends on something that is not given.",
    "cost_unknown": "At least one cost is not given.",
    "tax_unknown": "At least one price includes tax, and no tax rate is given: what is left of it is unknown.",
    "units_unknown": "The additional units of at least one product are not known.",
    "scenarios_differ": "The products do not have the same scenarios, so their sums cannot be compared with the cost.",
    "contribution_covers_fixed_cost": "In every scenario the additional sales contribute at least the fixed monthly cost.",
    "contribution_below_fixed_cost": "In no scenario do the additional sales contribute the fixed monthly cost.",
    "depends_on_scenario": "Some scenarios cover the fixed monthly cost and some do not; the break-even units tell where it turns.",
}

TREND_METHOD = "A straight line of least squares through the last 12 snapshots (more where 12 span less than 14 days; none more than 365 days before the last), each with the same weight. It counts as a trend if it leaves at most half of the variance unexplained (adjusted R² of at least 1/2), and is followed for at most 365 days after the last snapshot."

TREND_REASONS = {
    "will_be_missed": "{label}: getting worse. If this goes on, the bar is missed from {crosses_on} on.",
    "will_be_met": "{label}: getting better. If this goes on, the bar is met from {crosses_on} on.",
    "line_has_passed": "The line through the values of {label} crossed the bar on {crosses_on}, after the last snapshot. Send newer numbers.",
    "beyond_horizon": "{label}: moving towards the bar, but not across it within 365 days of the last snapshot.",
    "moving_away": "{label}: moving away from the bar, which is not crossed.",
    "steady": "{label}: no change, so the bar is not crossed.",
    "scattered": "{label}: up and down too much to speak of a trend.",
    "too_short_a_span": "The recent values of {label} span less than 14 days: that is too short for a trend.",
    "not_enough_points": "{label}: known on fewer than three days of the last year, which is too little for a trend.",
    "no_bar": "{label}: shown only, because nobody publishes a number for it: there is nothing to cross.",
}

READINESS = {
    "met": "In place",
    "missed": "Not in place",
    "unknown": "Ask yourself",
    "not_applicable": "Does not apply",
}

# What told an item of the checklist, by the outcomes of the item and of what told it.
READINESS_BY = {
    ("met", "met"): "By: {names}.",
    ("missed", "missed"): "By: {names}.",
    ("unknown", "unknown"): "Would tell, once given: {names}.",
    ("unknown", "met"): "Met, which does not prove it: {names}.",
}

STAGE_SHOWS = {
    "within_window": "What is counted now has left the window after {days} days.",
    "no_window": "No window is published for this, so how soon it shows is unknown.",
    "declared": "This is declared, not measured: it shows as soon as it is done and declared.",
}

TEXTS = {
    "in_band": "It lies in the band “{label}”, from {lowest} to {highest}.",
    "to_better": "Points up to “{label}”: {points}.",
    "to_worse": "Points down to “{label}”: {points}.",
    "counted": "{rate} ({count} of {of} {unit})",
    "number_of": "{unit}: {number}",
    "of": "{count} of {of}",
    "product": "Product {number}: {label}",
    "in_percent": "{label}, in %",
    "in_all": "{label}: of how many in all",
    "between": "between {lowest} and {highest}",
    "yes": "yes",
    "no": "no",
}

VERDICTS = {
    "eligible": "Eligible: every required criterion is met.",
    "not_eligible": "Not eligible: at least one required criterion is missed.",
    "undetermined": "Undetermined: no required criterion is missed, but not all of them can be answered.",
    "not_applicable": "Undetermined: nothing that this program measures is about orders of this account.",
    "not_covered": "Not covered: no rule of this program holds in {marketplace} on {as_of}, so nothing is judged.",
}

VERDICT_NAMES = {
    "eligible": "Eligible",
    "not_eligible": "Not eligible",
    "undetermined": "Undetermined",
    "not_covered": "Not covered",
}

OUTCOME_NAMES = {
    "missed": "Missed",
    "unknown": "Unknown",
    "met": "Met",
    "not_applicable": "Not applicable",
}

ACTIONS = {
    "join": "Join: the additional sales pay for it.",
    "not_worth_it": "Not worth it: the additional sales do not pay for it.",
    "fix_first": "Fix what is missed first.",
    "need_more_information": "More has to be known before this can be answered.",
}

PARTS = {
    "total_sales_price": "Total sales price",
    "sales_tax": "Sales tax",
    "referral_fee": "Referral fee (commission)",
    "closing_fee": "Closing fee",
    "per_item_fee": "Per-item fee",
    "digital_services_fee": "Digital services fee",
    "refund_administration_fee": "Refund administration fee",
    "total_fees": "Total fees",
    "tax_on_fees": "Tax on fees",
    "net_proceeds": "Net proceeds",
    "unit_cost": "Unit cost",
    "fulfillment_cost": "Fulfillment cost",
    "contribution": "Contribution",
}

# Words that facts have for their values, as they stand in a sentence.
FACT_VALUES = {
    "professional": "professional",
    "individual": "individual",
}

# What a form asks for.
LABELS = {
    "marketplace": "Marketplace",
    "program": "Program",
    "selling_plan": "Selling plan",
    "fulfillment": "Who ships the orders",
    "price": "Price for one",
    "unit_cost": "What one costs you",
    "fulfillment_cost": "Shipping and handling of one",
    "shipping": "Shipping that the buyer pays",
    "gift_wrap": "Gift wrap that the buyer pays",
    "tax_rate": "Tax rate",
    "refund_rate": "Refunds",
    "current_monthly_units": "Sold a month now",
    "category": "Fee category",
    "established_in": "Where the company is established",
    "fixed_monthly_cost": "Fixed cost of joining a month",
}

ROW_LABELS = {
    "scenario_name": "Scenario {row}: name",
    "scenario_units": "Scenario {row}: additional units",
    "scenario_uplift": "Scenario {row}: increase",
    "discount_quantity": "Quantity discount {row}: from how many",
    "discount_rate": "Quantity discount {row}: discount",
    "discount_price": "Quantity discount {row}: price for one",
}

# Words of the rule data that are shown as choices.
CHOICES = {
    "professional": "Professional",
    "individual": "Individual",
    "seller": "By me",
    "amazon": "By Amazon (FBA)",
    "both": "Some by me, some by Amazon",
    "seller_prime": "By me, with Prime",
    "easy_ship": "Easy Ship",
    "self_ship": "Self Ship",
    "seller_flex": "Seller Flex",
    "true": "Yes",
    "false": "No",
    "unknown": "I do not know",
}

PLACES = {
    "US": "United States",
    "CA": "Canada",
    "MX": "Mexico",
    "UK": "United Kingdom",
    "DE": "Germany",
    "FR": "France",
    "IT": "Italy",
    "ES": "Spain",
    "JP": "Japan",
    "IN": "India",
    "AU": "Australia",
    "CN": "China",
}

RANGES = {
    "unknown": "At which prices that is not negative needs the unit cost and every fee.",
    "none": "At no price is anything left.",
    "listed": "Something is left at prices {ranges}.",
    "from": "from {low} on",
    "between": "from {low} to {high}",
}

PRE_SALE_KINDS = {
    "pre_order": "Pre-order: before the release",
    "back_order": "Back-order: until the restock",
}

# What a pre-sale may still need, as it stands in a sentence.
PRE_SALE_NEEDS = {
    "promised_ship_on": "the promised ship date",
    "earliest_delivery_on": "the earliest delivery date",
    "media": "the kind of media",
    "fulfillment": "who ships the orders",
    "prime": "whether it is offered with Prime",
    "stock_secured": "the units that are secured",
    "expected_units": "the units that are expected to be sold before",
    "release_date_published": "whether the manufacturer has published the release date",
    "early_delivery_allowed": "whether the rights holder allows an earlier delivery",
    "return_policy_stated": "whether the return policy is stated",
}

# Who ships, as it stands in a sentence.
CHANNEL_NAMES = {
    "seller": "the seller",
    "seller_prime": "the seller with Prime",
    "amazon": "Amazon (FBA)",
    "easy_ship": "Easy Ship",
    "self_ship": "Self Ship",
    "seller_flex": "Seller Flex",
}

PRE_SALE_REASONS = {
    "still_ahead": "{label}: {due_on}. It is met.",
    "not_after_offer": "{label}: {due_on} is not after {listed_on}, the day on which the offer opens. That is no pre-sale, so it is missed.",
    "past_already": "{label}: {due_on} is not after {as_of}, the day of this check. That is no pre-sale any more, so it is missed.",
    "within_horizon": "{label}: {days}. Allowed: {allowed}. It is met.",
    "ships_beyond_horizon": "{label}: {days}. Allowed: {allowed}. By that date it is met. But the ship date, {ships_on}, is past the last day allowed by this many days: {days_over}. Which of the two dates counts is not published.",
    "no_days": "{label}: not judged, because {due_on} is not after the day of the offer.",
    "beyond_horizon": "{label}: {days}. Allowed: {allowed}, so it is missed.",
    "too_soon": "{label}: {days}. Allowed: {allowed}, so it is missed.",
    "channel_allowed": "{label}: {fulfillment}. Allowed: {allowed}. It is met.",
    "channel_refused": "{label}: {fulfillment}. Allowed: {allowed}, so it is missed.",
    "prime_as_asked": "{label}: {prime}. It has to be {allowed}, so it is met.",
    "prime_refused": "{label}: {prime}. It has to be {allowed}, so it is missed.",
    "media_allowed": "{label}: the product is none of these. It is met.",
    "media_refused": "{label}: the product is one of these, which are not allowed. It is missed.",
    "media_open": "{label}: the fee category may hold these and others. Say what the product is.",
    "table_not_in_data": "{label}: the marketplace has a table of categories, which is not in the rule data. It is unknown.",
    "release_date_published": "{label}: yes. It is met.",
    "release_date_not_published": "{label}: no. It is missed.",
    "stock_covers": "{label}: {stock_secured} secured, {expected_units} expected. It is met.",
    "stock_short": "{label}: {stock_secured} secured, {expected_units} expected, {short} lacking. It is missed.",
    "promised_as_published": "{label}: {promised_ship_on}, which is the published date. It is met.",
    "promised_too_early": "{label}: {promised_ship_on}, but the published date is {ships_on}. It is too early, so it is missed.",
    "promised_too_late": "{label}: {promised_ship_on}, but the published date is {ships_on}. It is too late, so it is missed.",
    "not_before_release": "{label}: nothing can arrive before {due_on}. It is met.",
    "allowed_by_rights_holder": "{label}: the rights holder allows an earlier delivery. It is met.",
    "before_release": "{label}: the first delivery, on {earliest_delivery_on}, is before {due_on}. It is missed.",
    "return_policy_stated": "{label}: yes. It is met.",
    "return_policy_not_stated": "{label}: no. It is missed.",
    "not_provided": "{label}: unknown, because this is not given: {needs}.",
    "no_published_rule": "{label}: shown only. The rule data has no published rule about it for this marketplace.",
}

PRE_SALE_EFFECTS = {
    "some_may_be": "{label}: of the expected orders ({orders}) up to {most} may be {event}, and the bar, {bar}, is still met.",
    "all_may_be": "{label}: even if all of the expected orders ({orders}) are {event}, the bar, {bar}, is still met.",
    "none_may_be": "{label}: if only one of the expected orders ({orders}) is {event}, the bar, {bar}, is missed.",
    "missed_anyway": "{label}: the bar, {bar}, is missed even if none of the expected orders ({orders}) is {event}.",
    "units_not_given": "{label}: unknown, because the expected units are not given.",
    "counts_not_given": "{label}: unknown, because the current numbers are not given as a count and its total.",
    "below_minimum_volume": "{label}: judged only from {minimum} {unit} on. Counted with the expected orders: {of}.",
    "no_published_threshold": "{label}: shown only, because nobody publishes a number for it.",
    "other_fulfillment_channel": "{label}: about orders of a fulfillment channel that this offer does not use.",
}

PRE_SALE_MARGINS = {
    "contribution_not_negative": "After fees and costs {contribution} is left of one unit.",
    "contribution_negative": "After fees and costs {contribution} is left of one unit: each one sold loses money.",
    "contribution_unknown": "What is left of one unit is unknown, because a cost, a fee or the tax within the price is.",
    "no_line": "There is no price to judge: give what one unit sells for and costs.",
    "fee_not_covered": "No fee rule covers this marketplace, category, channel and date.",
}

PRE_SALE_EVENTS = {
    "late": "late",
    "cancelled": "cancelled",
}

PRE_SALE_CALENDAR = {
    "listed": "The offer opens.",
    "earliest_date": "The earliest release or restock date that the rule allows.",
    "stock_needed": "The last day on which the stock has to be there, so that the handling time ends on the ship date.",
    "release": "The product is released.",
    "restock": "The product is back in stock.",
    "ships": "The promised ship date.",
    "latest_date": "The latest release or restock date that the rule allows.",
}

PRE_SALE_DOUBTS = {
    "beyond_horizon": "It is past the last day allowed by this many days: {days}. Whether that counts is not published.",
    "before_restock": "The product is back only this many days later: {days}. A later restock date would leave the handling time.",
}

PRE_SALE_SKIPPED = {
    "weekend": "Nothing is shipped on this day of the week.",
    "holiday": "This is one of the holidays that were given.",
}

PRE_SALE_ASSUMPTIONS = {
    "one_unit_per_order": "Each expected unit is an order of its own.",
    "current_window": "All pre-orders fall into the window that the current numbers are of, beside the orders that are counted now.",
    "one_at_a_time": "Late and cancelled pre-orders are weighed apart: all others go well.",
    "rounded_up": "A share of the pre-orders is rounded up to whole orders.",
}

PRE_SALE_VERDICTS = {
    "allowed": "Allowed: every required rule is met.",
    "not_allowed": "Not allowed: at least one required rule is missed.",
    "undetermined": "Undetermined: no required rule is missed, but not all of them can be answered.",
    "not_covered": "Not covered: no rule about this kind of pre-sale holds in {marketplace} on {as_of}, so nothing is judged.",
}

LISTING_REASONS = {
    "given": "{label}: given.",
    "empty": "{label}: none is there, so this is missing.",
    "none_required": "{label}: none is there, and none is required. This is not judged.",
    "exempt": "{label}: there is none, and none is required, because the product is exempt.",
    "partly_empty": "{label}: at least one of them is empty.",
    "attributes_missing": "{label}: these are missing: {names}.",
    "required_attributes_not_given": "{label}: whether all are there is unknown, because those that the template of the category asks for are not given.",
    "not_provided": "{label}: not given, so it is unknown.",
    "within_limit": "{label}, {measure}: {value}. Asked for: {allowed}. It is met.",
    "above_limit": "{label}, {measure}: {value}. Asked for: {allowed}. It is above that, so it is missed.",
    "below_limit": "{label}, {measure}: {value}. Asked for: {allowed}. It is below that, so it is missed.",
    "detail_not_given": "{label}: unknown, because a number is not given: {measure}.",
    "not_for_media": "{label}, {measure}: {value}. The limit does not hold for media, so it is not judged.",
    "no_published_limit": "{label}, {measure}: {value}. Amazon names no number that holds for every product, so it is not judged.",
    "no_limit_in_data": "{label}, {measure}: {value}. The rule data has no published limit for it, so it is not judged.",
    "characters_found": "{label}: these characters are not allowed: {names}.",
    "characters_not_found": "{label}: none of these characters, which are not allowed, is in it: {listed}.",
    "emoji_found": "{label}: emoji are not allowed: {names}.",
    "emoji_not_found": "{label}: there are no emoji, which are not allowed.",
    "phrases_found": "{label}: these phrases are not allowed: {names}.",
    "phrases_not_found": "{label}: none of the phrases that are published as not allowed is in it.",
    "repeated_words_found": "{label}: these words stand there more often than is allowed ({most}): {names}.",
    "repeated_words_not_found": "{label}: no word stands there more often than is allowed ({most}).",
    "repeated_words_not_told": "{label}: whether a word stands there more often than is allowed ({most}) is unknown, because part of it is in a script without blanks between words.",
    "asins_found": "{label}: numbers of products at Amazon (ASIN) are not allowed: {names}.",
    "asins_not_found": "{label}: there is no number of a product at Amazon (ASIN), which is not allowed.",
    "tags_found": "{label}: HTML is not allowed: {names}.",
    "tags_not_found": "{label}: there is no HTML, which is not allowed.",
    "format_allowed": "{label}: the format is allowed: {names}.",
    "format_not_allowed": "{label}: the format is not allowed: {names}. Allowed are {listed}.",
    "format_not_given": "{label}: unknown, because its format is not given. Allowed are {listed}.",
    "background_allowed": "{label}: the background is pure white, as it has to be.",
    "background_not_allowed": "{label}: the background has to be pure white.",
    "background_not_given": "{label}: whether the background is pure white, as it has to be, is unknown.",
    "digits_allowed": "{label}: it has as many digits as such a number has.",
    "digits_all_zeros": "{label}: it is all zeros. Such a number is for use within a company, and is no product's.",
    "digits_not_allowed": "{label}: it has to be a number of digits alone. There are such numbers with this many: {listed}.",
    "check_digit_allowed": "{label}: its last digit follows from the others, as it has to.",
    "check_digit_not_allowed": "{label}: its last digit does not follow from the others, so a digit is wrong.",
}

LISTING_PARTS = {
    "bullet_point": "Bullet point {number}",
}

LISTING_MEASURES = {
    "characters": "characters",
    "characters_together": "characters of all together",
    "bytes": "bytes",
    "bytes_of_words": "bytes without blanks and punctuation",
    "count": "how many",
    "longest_side": "pixels on the longest side",
    "filled_percent": "percent of the frame filled by the product",
}

# What another source prints of a measure, and what the listing is by that.
LISTING_ALSO = {
    "met": "Elsewhere stands: {allowed} ({measure}). By that it is met, with {value}.",
    "missed": "Elsewhere stands: {allowed} ({measure}). By that it is missed, with {value}.",
}

IMAGE_FORMAT_NAMES = {
    "jpeg": "JPEG",
    "png": "PNG",
    "tiff": "TIFF",
    "gif": "GIF without animation",
    "animated_gif": "animated GIF",
    "other": "another format",
}

LISTING_VERDICTS = {
    "complete": "Complete: everything is there, and all that is required of it in the rule data is kept.",
    "incomplete": "Incomplete: something is missing, or breaks what is required of it.",
    "undetermined": "Undetermined: nothing is known to be missing or broken, but not everything is known.",
}

SPANS = {
    "at_least": "{least} or more",
    "at_most": "at most {most}",
    "between": "{least} to {most}",
}

# What a red line found. {label} is the name of the rule, {matched} what was found in the text.
POLICY_REASONS = {
    "address_suffix": "“{matched}” has the suffix of an e-mail or web address.",
    "bare_domain": "“{matched}” is the name of a web site outside of Amazon.",
    "cancellation_asked": "“{matched}” asks the buyer to cancel.",
    "carrier_link": "“{matched}” is a link to a carrier. It is allowed only if completing the order needs it.",
    "claim_withdrawal": "“{matched}” asks the buyer to take back a claim, or not to make one.",
    "complaint_kept_away": "“{matched}” asks unhappy buyers not to leave a review, or to write to you before they do.",
    "contact_invitation": "“{matched}” invites the buyer to talk outside of Amazon's messages.",
    "data_kept_too_long": "Personal data of buyers is kept for {days} days after shipment; {limit} are allowed.",
    "disguised_domain": "“{matched}” is the name of a web site in disguise.",
    "disguised_email": "“{matched}” is an e-mail address in disguise.",
    "dispatched_late": "This order had to be dispatched by {due}, within {limit} business days of its confirmation.",
    "duplicate_listing": "The product with the number {gtin} is already listed as {asin}.",
    "email_address": "“{matched}” is an e-mail address.",
    "media_pre_sale": "Media of this kind may not be offered in advance: {category}.",
    "messenger_id": "“{matched}” names an account of a messenger.",
    "messenger_invitation": "“{matched}” invites the buyer to a messenger.",
    "multi_pack_dearer": "The pack costs more per unit than a single one.",
    "newsletter": "“{matched}” asks the buyer to follow, subscribe or join.",
    "offer": "“{matched}” makes an offer for other orders.",
    "only_another_source": "{label}: the source that judges here does not forbid this, but another one does.",
    "only_if_happy": "“{matched}” asks only happy buyers for a review.",
    "only_thanks": "This message says thank you, or that you are there to help, and nothing else.",
    "order_confirmed": "“{matched}” confirms an order or its shipment, which Amazon does itself.",
    "other_products": "“{matched}” draws attention to other products.",
    "outside_order": "“{matched}” leads to an order outside of Amazon.",
    "outside_payment": "“{matched}” leads to a payment outside of Amazon.",
    "own_orders": "Own products are ordered, or orders are paid for.",
    "phone_kept": "Phone numbers of buyers are not disposed of after the order is processed.",
    "phone_number": "“{matched}” is a phone number.",
    "phone_used_otherwise": "Phone numbers of buyers are used for something other than the carrier's label.",
    "positive_review_asked": "“{matched}” asks for a good review.",
    "price_claim": "“{matched}” speaks of a price or a discount.",
    "qr_code": "“{matched}” leads off Amazon by a code to scan.",
    "rank_claim": "“{matched}” advertises how well the product sells or ranks.",
    "repeated_request": "Order {order_id} was asked for a review more often than is allowed ({limit}).",
    "review_change_asked": "“{matched}” asks to change or remove a review.",
    "reward_for_review": "“{matched}” offers something for a review.",
    "sent_too_late": "The order was completed {days} days before this message; {limit} are allowed.",
    "several_accounts": "There are {number} selling accounts without permission.",
    "several_accounts_unexplained": "There are {number} selling accounts. Whether Amazon permitted them is not given.",
    "shipping_excessive": "Shipping costs over {share} more than the carrier's standard rate.",
    "shipping_offer": "“{matched}” speaks of shipping.",
    "site_invitation": "“{matched}” leads the buyer to a place outside of Amazon.",
    "social_media": "“{matched}” leads the buyer to social media.",
    "spelled_phone_number": "“{matched}” is a phone number in words.",
    "threat": "“{matched}” threatens the buyer, or puts pressure on them.",
    "time_limited": "“{matched}” speaks of availability, or urges to buy.",
    "trademark": "“{matched}” is a trademark of somebody else.",
    "type_in_another_list": "The type {message_type} stands only in an older list of the Messaging API.",
    "type_not_listed": "The type {message_type} is none of the Messaging API.",
    "web_address": "“{matched}” is a web address outside of Amazon.",
}

POLICY_KINDS = {
    "message": "A message to a buyer",
    "listing_title": "The title of a listing",
    "listing_bullet": "A bullet point of a listing",
    "listing_description": "The description of a listing",
    "business_name": "A business name",
}

POLICY_LANGUAGES = {
    "en": "English",
    "zh": "Chinese",
    "und": "Another language",
}

PHONE_USES = {
    "carrier_label": "For the carrier's label only",
    "not_used": "Not at all",
    "contact_buyer": "To contact the buyer",
    "marketing": "For marketing",
    "other": "For something else",
}

POLICY_VERDICTS = {
    "prohibited": "Prohibited: at least one red line is crossed.",
    "doubtful": "Doubtful: no red line is crossed for certain, but something has to be looked at.",
    "nothing_found": "Nothing was found by what was checked. What was not checked is listed.",
    "not_covered": "Not covered: at least one rule does not hold for this marketplace and date, and nothing else was found.",
    "not_read": "Not read: the wording of at least one text was not read, and nothing else was found.",
}

POLICY_PERMISSIONS = {
    "breaks_a_rule": "This may not go out as it is.",
    "doubtful": "Look at what was found before this goes out.",
    "nothing_found": "Nothing was found that speaks against it.",
    "not_covered": "Whether this may go out is unknown, because not every rule about it holds for this marketplace and date.",
    "not_read": "Whether this may go out is unknown, because its wording was not read.",
}

POLICY_UNCHECKED = {
    "language_not_covered": "Wording is checked in English and Chinese only. Links and addresses were looked for all the same.",
    "language_not_told": "Which language this text is in was not said and cannot be told for certain. Wording was checked in English and Chinese only.",
    "not_covered": "{label}: no rule holds for this marketplace and date.",
    "not_in_text": "A text does not tell.",
    "not_provided": "{label}: what this depends on is not given.",
    "script_not_covered": "A good part of this text is in a script whose wording is not checked. Links and addresses were looked for all the same.",
}

MEDIA_NAMES = {
    "books": "Books",
    "music": "Music",
    "video": "Video",
    "dvd": "DVD",
    "video_games": "Video games",
    "other": "Other media",
    "not_media": "Not media",
}

DELIVERY_FAILURES = {
    "answered_4xx": "The receiver answered with a status from 400 to 499. After 410 the endpoint is disabled.",
    "answered_5xx": "The receiver answered with a status from 500 to 599.",
    "connection_failed": "The receiver could not be reached, or closed the connection.",
    "endpoint_disabled": "The endpoint was disabled before this was sent.",
    "name_not_found": "No address was found for the name of the receiver.",
    "not_a_web_address": "The address is not written as one.",
    "not_http": "The receiver did not answer in HTTP.",
    "not_https": "The address does not use HTTPS.",
    "port_not_allowed": "The address has a port other than 443.",
    "private_address": "The name of the receiver leads to an address that is not public.",
    "redirected": "The receiver answered that it is elsewhere. Nobody follows that.",
    "timed_out": "The receiver did not answer in time.",
    "tls_failed": "No safe connection to the receiver could be made.",
    "wrong_length": "The address is too long.",
}

ERROR_CODES = {
    "body_mismatch": "The body is not as long, or has not the digest, that its headers announce.",
    "count_above_of": "A count is larger than the total it is counted of.",
    "delivery_pending": "A delivery that has not ended yet cannot be sent again.",
    "depends_on_column": "A value needs another column that is empty or missing.",
    "duplicate_key": "A JSON object has one key twice.",
    "duplicate_name": "A name that has to be unique stands twice.",
    "duplicate_observation": "Two observations are of one metric, window and segment.",
    "empty_body": "The body is empty.",
    "endpoint_disabled": "A webhook endpoint is disabled, and nothing is sent to it.",
    "half_a_pair": "A count stands without its total, or a total without its count.",
    "in_progress": "The first request with an Idempotency-Key is still running.",
    "json_float": "A decimal was sent as a JSON number instead of a text.",
    "key_reused": "An Idempotency-Key came with another request before.",
    "lone_surrogate": "A text holds half of a surrogate pair.",
    "malformed_row": "A row of a file has too many or too few cells, or a broken quote.",
    "marketplace_is_fixed": "A seller's marketplace cannot be changed.",
    "missing": "A value that has to be given is missing.",
    "no_header": "A file is empty, or its first row does not name the columns.",
    "no_rows": "A file has no rows.",
    "no_value": "An observation has no value.",
    "not_a_count": "A counter was given a total or a rate.",
    "not_a_country": "A country is not two letters.",
    "not_a_cursor": "A cursor is none of this list.",
    "not_a_date": "A date is not YYYY-MM-DD, or does not exist.",
    "not_a_decimal": "A decimal is not written as one.",
    "not_a_segment": "A segment is not one of those known.",
    "not_a_web_address": "An address that events are to be sent to is not written as one.",
    "not_a_whole_number": "A whole number is not one.",
    "not_allowed": "A word is not one of those allowed.",
    "not_an_id": "An id has other characters, or is too long.",
    "not_an_idempotency_key": "An Idempotency-Key is empty, too long, or has characters that are not visible.",
    "not_an_object": "A JSON object was expected.",
    "not_csv": "A file is not CSV.",
    "not_finished": "The results of a batch are not there.",
    "not_https": "An address that events are to be sent to does not use HTTPS.",
    "not_json": "The text is not JSON.",
    "not_multipart": "A body is not multipart/form-data.",
    "not_parquet": "A file is not Parquet, or its end is missing.",
    "not_readable": "A file is damaged.",
    "not_text": "A text was expected.",
    "not_true_or_false": "true or false was expected.",
    "not_usable": "A file cannot be used as a whole: some columns or values are wrong.",
    "not_utf8": "The bytes are not UTF-8.",
    "nul_character": "A text holds a NUL character.",
    "number_out_of_range": "A JSON number has too many digits.",
    "one_of_two": "Exactly one of two values has to be given.",
    "out_of_range": "A number is outside what is allowed.",
    "port_not_allowed": "An address that events are to be sent to has a port other than 443.",
    "private_address": "An address that events are to be sent to is not public.",
    "rate_and_count": "A rate and counts are given for one observation.",
    "rate_limited": "More requests came from one client than are allowed in a time.",
    "too_deep": "JSON is nested too deeply.",
    "too_large": "The input is larger than is taken.",
    "too_many_decimals": "An amount has more decimals than its currency.",
    "too_many_endpoints": "A workspace has all the webhook endpoints it may have.",
    "unknown_category": "A fee category does not exist in that marketplace.",
    "unknown_column": "A column that a name promises does not exist.",
    "unknown_field": "A field is not known.",
    "unknown_marketplace": "A marketplace does not exist.",
    "unknown_program": "A program does not exist.",
    "unsupported_type": "A column of a Parquet file has a type that cannot be written again.",
    "worker_died": "Worker after worker died over a batch.",
    "wrong_length": "A text or a list is too long or too short.",
    "wrong_programs": "The list of programs is empty, too long or names one twice.",
    "wrong_value": "A value has the wrong type.",
}


@lru_cache(maxsize=4096)
def _number(value: int, locale: Locale) -> str:
    """Write a whole number; the same ones come again and again."""
    return str(format_decimal(value, locale=locale))


class Messages:
    """The sentences of one language."""

    def __init__(self, locale: str = DEFAULT_LOCALE) -> None:
        self.locale = Locale.parse(locale, sep="_")
        self._translations: NullTranslations = NullTranslations()
        if locale != DEFAULT_LOCALE:
            self._translations = Translations(_compiled(TRANSLATIONS / locale / CATALOG))
        symbols = self.locale.number_symbols["latn"]
        self._decimal = symbols["decimal"]
        self._percent = self.locale.percent_formats[None].pattern.split("#,##0")

    @property
    def tag(self) -> str:
        """The language as a tag of HTML and HTTP, such as zh-Hans."""
        return str(self.locale).replace("_", "-")

    def text(self, message: str, values: Mapping[str, object] | None = None) -> str:
        """Translate a message and fill in its placeholders."""
        translated: str = self._translations.gettext(message)
        return translated.format(**values) if values else translated

    def say(self, sentence: str) -> str:
        """Translate a sentence that was made with `errors.say`, with the sentences and dates that were filled into it."""
        if not isinstance(sentence, Sentence):
            return sentence
        return self.text(sentence.message, {name: self._filled(one) for name, one in sentence.values.items()})

    def _filled(self, value: object) -> object:
        if isinstance(value, str):
            return self.say(value)
        return self.day(value) if isinstance(value, date) else value

    def percent(self, ppm: int) -> str:
        """Write parts per million as a percentage without trailing zeros."""
        whole, fraction = divmod(abs(ppm), 10_000)
        digits = f"{whole}{self._decimal}{fraction:04d}".rstrip("0") if fraction else str(whole)
        return ("−" if ppm < 0 else "") + digits.join(self._percent)

    def bar(self, comparison: str, value: str) -> str:
        """Write a bar, such as “below 2%”."""
        return self.text(BARS[comparison], {"value": value})

    def number(self, value: int) -> str:
        """Write a whole number with its separators."""
        return _number(value, self.locale)

    def fraction(self, rate: str) -> str:
        """Write the decimal text of a rate as a percentage, with all its decimals."""
        percent = format(Decimal(rate).scaleb(2), "f")
        percent = percent.rstrip("0").rstrip(".") if "." in percent else percent
        return percent.replace(".", self._decimal).join(self._percent)

    def money(self, amount: str, currency: str) -> str:
        """Write a decimal text of major units with its currency."""
        return format_currency(Decimal(amount), currency, locale=self.locale)

    def listed(self, several: Sequence[str]) -> str:
        """Write several things as a list with “and”."""
        return format_list(several, locale=self.locale)

    def day(self, day: date) -> str:
        """Write a date as the language does."""
        return format_date(day, "long", locale=self.locale)

    def day_of(self, text: str) -> str:
        """Write an ISO date as the language does."""
        return self.day(date.fromisoformat(text))


def _compiled(path: Path) -> BytesIO:
    """Read a catalog; fuzzy entries, which nobody has checked, are left out."""
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source), use_fuzzy=False)
    compiled.seek(0)
    return compiled


@lru_cache(maxsize=1)
def available_locales() -> list[str]:
    """List the languages there are catalogs for, English first."""
    return [DEFAULT_LOCALE, *sorted(path.parent.parent.name for path in TRANSLATIONS.glob(f"*/{CATALOG}"))]


@lru_cache(maxsize=16)
def messages_in(locale: str) -> Messages:
    """Load a language once."""
    return Messages(locale)


def negotiate(preferred: list[str]) -> Messages:
    """Pick the best language for a list of language tags, most wanted first; English where none fits.

    A tag fits a catalog of the same language in another script or country where there is none of its own. Only tags of
    languages there are catalogs for are ever parsed: a malformed tag is passed over.
    """
    available = {locale.lower(): locale for locale in available_locales()}
    languages = {locale.partition("_")[0]: locale for locale in reversed(available)}
    wanted = []
    for tag in preferred:
        name = tag.replace("-", "_").lower()
        wanted += [name, languages.get(name.partition("_")[0], name)]
    return messages_in(available[negotiate_locale(wanted, list(available), sep="_") or DEFAULT_LOCALE])
