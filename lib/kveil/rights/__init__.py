"""What people and regulators may ask for at any time: erasure, access, and the deletion of what grew too old."""
