"""Which setting to take: costs with their intervals, the verdict that follows, and its words."""
