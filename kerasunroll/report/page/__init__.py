"""A comparison as a page or as picture files: what is drawn, the page around it, its templates."""
