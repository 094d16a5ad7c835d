"""What goes on inside a model: functions of a model and a batch, without files or printing."""
