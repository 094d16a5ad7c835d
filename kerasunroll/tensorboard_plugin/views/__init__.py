"""What each view of the tab shows, as JSON values: a function per view, of records or of event files."""
