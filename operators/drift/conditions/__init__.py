"""What a resource's conditions are, purely from what was observed: no call, no clock."""
