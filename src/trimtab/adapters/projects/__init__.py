"""A project's folder: reading it, packing it into a bundle, knowing where its things live."""
