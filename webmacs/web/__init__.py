"""The HTML machinery: who arrives, pages, forms, errors, navigation, headers."""
