"""From a frame to everybody's joints: latency as a user meets it."""
