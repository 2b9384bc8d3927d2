"""A folder that times networks on any device, and what checks the records that come back."""
