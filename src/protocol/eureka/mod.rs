//! Netflix Eureka and Spring Cloud Netflix.
