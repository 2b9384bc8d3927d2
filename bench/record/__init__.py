"""Whether records are sound: their form, and that their figures follow from their samples."""
