"""Generate files of accounts: realistic numbers around the bars, never contradictory, the same in every run."""

from pathlib import Path

import duckdb

COLUMNS = {
    "seller_id": "printf('A%09d', i)",
    "marketplace": "['US', 'US', 'US', 'US', 'UK', 'DE', 'CA', 'FR'][1 + draw(i, 1, 8)]",
    "fulfillment": "['seller', 'seller', 'seller', 'both', 'amazon'][1 + draw(i, 2, 5)]",
    "selling_plan": "if(draw(i, 3, 20) = 0, 'individual', 'professional')",
    "tracking_on_every_package": "if(draw(i, 4, 12) = 0, '', if(draw(i, 4, 12) = 1, 'no', 'yes'))",
    "order_defect_rate_count": "draw(i, 5, 1 + orders // 120)",
    "order_defect_rate_of": "orders",
    "pre_fulfillment_cancellation_rate_7d_count": "draw(i, 6, 1 + orders // 500)",
    "pre_fulfillment_cancellation_rate_7d_of": "orders // 8",
    "late_shipment_rate_30d_count": "draw(i, 7, 1 + orders // 80)",
    "late_shipment_rate_30d_of": "orders // 2",
    "valid_tracking_rate_30d": "if(draw(i, 8, 15) = 0, '', printf('%.1f%%', 93 + draw(i, 9, 70) / 10))",
    "category": (
        "if(marketplace IN ('US', 'CA'), ['office_products', 'toys_games', 'media', 'home_kitchen'], "
        "['office_products', 'toys_games', 'books', 'luggage'])[1 + draw(i, 10, 4)]"
    ),
    "price": "printf('%.2f', 5 + draw(i, 11, 49500) / 100)",
    "shipping": "if(draw(i, 12, 3) = 0, '4.99', '')",
    "units": "1 + draw(i, 13, 400)",
    "unit_cost": "printf('%.2f', 1 + draw(i, 14, 20000) / 100)",
    "note": "if(draw(i, 15, 10) = 0, 'called twice, \"urgent\"', 'no remark')",
}


def write(path: Path, rows: int) -> None:
    """Write a CSV file of so many accounts."""
    with duckdb.connect() as engine:
        engine.execute("CREATE MACRO draw(i, salt, below) AS (hash(i * 31 + salt) % below)::BIGINT")
        columns = ", ".join(f"{expression} AS {name}" for name, expression in COLUMNS.items())
        accounts = f"SELECT i, 160 + (hash(i * 31) % 6000)::BIGINT AS orders FROM range({rows}) AS numbers(i)"
        engine.execute(f"COPY (SELECT {columns} FROM ({accounts})) TO '{path}' (FORMAT csv, HEADER true)")
