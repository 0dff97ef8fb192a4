"""Training and measuring on Paddle: the loop, optimisers, weights, and several processes."""
