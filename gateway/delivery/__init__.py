"""What leaves by itself: notices by mail and webhooks, tried again, and seen when they do not."""
