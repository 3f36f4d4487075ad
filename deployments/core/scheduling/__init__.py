"""What runs next: the scheduler and its parts."""
