"""Real forward passes: how long they take, and what memory."""
