.PHONY: run test
run test:
	@echo to be written
