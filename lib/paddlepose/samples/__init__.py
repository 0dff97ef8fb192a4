"""Image records to the arrays that a network is trained and measured on."""
