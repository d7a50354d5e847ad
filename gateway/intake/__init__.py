"""The door in: uploads to quarantine, inspection, and the sealed canonical file in the vault."""
