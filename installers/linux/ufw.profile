[Lanthorn]
title=Lanthorn
description=Chat for people (5222, 5223, 7443, 7070) and the other PCs of the office (5275, 54327/udp)
ports=5222,5223,7070,7443,5275/tcp|54327/udp

[Lanthorn Admin]
title=Lanthorn, admin pages
description=Admin pages for browsers on other PCs
ports=9091/tcp
