"""What steps and control need from the world, as Protocols; adapters implement them, one technology each."""
