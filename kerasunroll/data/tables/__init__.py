"""Tables, from files as people have them to windows of rows."""
