"""Seller Program Advisor: does a seller qualify for Amazon's business program, and is the commission worth it?"""
