"""Program a network under a write-verify policy, and see what it takes."""
