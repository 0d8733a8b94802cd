"""Turn request bodies into domain objects, or one problem for every wrong value."""
