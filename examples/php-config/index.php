<?php
// A legacy program: it has always read its settings from a config.php beside it.
$config = require __DIR__ . '/config.php';
// A real program would not show even a hash: this one does, so that you can see what arrived.
echo hash('sha256', $config['password']), "\n";
