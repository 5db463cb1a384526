"""What every network has: saving, protocols, records of tensors."""
