"""Sensitivity of an effect to what nobody recorded, and to choices that should not matter."""
